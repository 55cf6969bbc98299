"""The audit log: who did what in a team."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from flask import Response, stream_with_context

from alertops.models import AuditEntry
from alertops.services.access.audit_log import audit_log_of, export_audit_log
from alertops.services.access.door import find_team
from alertops.services.access.permissions import Action
from alertops.services.pages import Page
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import session
from api.schemas.audit import AuditEntrySchema, AuditPageSchema, AuditQuery, ExportQuery

NDJSON = "application/x-ndjson"

blueprint = TeamBlueprint("audit", __name__, description="The audit log: who did what")


@blueprint.get("/teams/<uuid:team_id>/audit-log")
@blueprint.permits(Action.READ_AUDIT_LOG)
@blueprint.arguments(AuditQuery, location="query")
@blueprint.response(200, AuditPageSchema)
def list_entries(page: dict[str, Any], team_id: UUID) -> Page[AuditEntry, int]:
    """List who did what, newest first."""
    team = find_team(session(), asking(), team_id)
    return audit_log_of(session(), team.id, **page)


@blueprint.get("/teams/<uuid:team_id>/audit-log/export")
@blueprint.permits(Action.READ_AUDIT_LOG)
@blueprint.arguments(ExportQuery, location="query")
@blueprint.response(200, {"type": "string"}, content_type=NDJSON, description="One entry a line.")
def export(period: dict[str, Any], team_id: UUID) -> Response:
    """Get the whole log, oldest first, one JSON object a line."""
    team = find_team(session(), asking(), team_id)
    lines = _lines(export_audit_log(session(), team.id, **period))
    return Response(stream_with_context(lines), content_type=NDJSON)


def _lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    schema = AuditEntrySchema()
    for entry in entries:
        yield json.dumps(schema.dump(entry)) + "\n"
