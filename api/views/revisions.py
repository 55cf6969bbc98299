"""Revisions: what a flow has said, who changed it and when, and the way back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alertops.models import FlowRevision
from alertops.services.access.door import find_flow, find_revision
from alertops.services.access.permissions import Action
from alertops.services.flows.compare_revisions import Comparison, compare_revisions
from alertops.services.flows.restore_revision import restore_revision
from alertops.services.pages import Page, revisions_of
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import session
from api.preconditions import CONDITIONAL, ETAG
from api.schemas.flows import LintedFlowSchema
from api.schemas.nothing import NothingInput
from api.schemas.revisions import (
    DiffQuery,
    DiffSchema,
    RevisionPageSchema,
    RevisionQuery,
    ShownRevisionSchema,
)
from api.views.editing import Answer, edited, editor

blueprint = TeamBlueprint("revisions", __name__, description="Revisions: what a flow has said")


@blueprint.get("/flows/<uuid:flow_id>/revisions")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(RevisionQuery, location="query")
@blueprint.response(200, RevisionPageSchema)
def list_revisions(page: dict[str, Any], flow_id: UUID) -> Page[FlowRevision, int]:
    """List a flow's revisions, newest first."""
    flow = find_flow(session(), asking(), flow_id)
    return revisions_of(session(), flow.id, **page)


@blueprint.get("/flows/<uuid:flow_id>/revisions/<number:number>")
@blueprint.permits(Action.VIEW)
@blueprint.response(200, ShownRevisionSchema)
def show(flow_id: UUID, number: int) -> FlowRevision:
    """Show what a flow said in a revision."""
    return find_revision(session(), asking(), flow_id, number)


@blueprint.get("/flows/<uuid:flow_id>/revisions/<number:number>/diff")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(DiffQuery, location="query")
@blueprint.response(200, DiffSchema)
def compare(query: dict[str, Any], flow_id: UUID, number: int) -> Comparison:
    """Show what leads from this revision to another one."""
    return compare_revisions(session(), asking(), flow_id, number, query.get("to"))


@blueprint.post("/flows/<uuid:flow_id>/revisions/<number:number>/restore")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(NothingInput, required=False)
@blueprint.doc(**CONDITIONAL)
@blueprint.response(200, LintedFlowSchema, headers=ETAG)
def restore(_: dict[str, Any], flow_id: UUID, number: int) -> Answer:
    """Make the flow say again what it said in this revision, as a new one."""
    flow = find_flow(session(), asking(), flow_id)
    revision = find_revision(session(), asking(), flow_id, number)
    restore_revision(session(), flow, revision, editor())
    return edited(flow)
