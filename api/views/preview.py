"""Preview: what a flow will do, to the second, before it has to; saved or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from flask import current_app

from alertops.db import database_now
from alertops.errors import InvalidInputError
from alertops.escalation.flow import Flow, flow_from_json
from alertops.escalation.preview import WhatIf
from alertops.services.access.door import find_flow, find_team
from alertops.services.access.permissions import Action
from alertops.services.flows.create_flow import require_members
from alertops.services.flows.lint_flow import lint_flow
from alertops.services.flows.preview_flow import preview_flow
from alertops.services.flows.revisions import newest_definition
from alertops.services.maintenance.in_force import maintenance_of
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import session
from api.schemas.preview import PreviewQuery, PreviewSchema, UnsavedPreviewInput

blueprint = TeamBlueprint("preview", __name__, description="Preview: what a flow will do")

_QUESTIONS = ("start", "acknowledge_at", "fail", "unanswered", "severity")


@blueprint.get("/flows/<uuid:flow_id>/preview")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(PreviewQuery, location="query")
@blueprint.response(200, PreviewSchema)
def show(asked: dict[str, Any], flow_id: UUID) -> dict[str, Any]:
    """Show what the flow's newest revision would do, with the people whom the team has today."""
    flow = find_flow(session(), asking(), flow_id)
    definition = newest_definition(session(), flow)
    return {"revision_number": flow.revision_number, **_previewed(flow.team_id, flow.id, definition, asked)}


@blueprint.post("/teams/<uuid:team_id>/flows/preview")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(UnsavedPreviewInput)
@blueprint.response(200, PreviewSchema)
def show_unsaved(asked: dict[str, Any], team_id: UUID) -> dict[str, Any]:
    """Show what a flow would do that is not saved. Changes nothing."""
    team = find_team(session(), asking(), team_id)
    require_members(session(), team.id, asked["nodes"])
    described = {name: value for name, value in asked.items() if name not in _QUESTIONS}
    described["nodes"] = [{"id": str(uuid4()), **node} for node in described["nodes"]]
    definition = flow_from_json(described)
    return {"revision_number": None, **_previewed(team.id, uuid4(), definition, asked)}


def _previewed(team_id: UUID, flow_id: UUID, flow: Flow, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is not saved yet has an id that nobody knows: only windows of the whole team are met."""
    confirmed_only = current_app.config["CONFIRM_OUTSIDERS"]
    start = asked.get("start") or database_now(session())
    what_if = WhatIf(
        acknowledge_at=asked.get("acknowledge_at"),
        failing=_nodes(flow, asked, "fail"),
        unknown=_nodes(flow, asked, "unanswered"),
    )
    if what_if.acknowledge_at is not None and what_if.acknowledge_at < start:
        raise InvalidInputError("/acknowledge_at", "Must not be before the alert comes.")
    found = preview_flow(
        session(),
        team_id,
        flow,
        start,
        what_if,
        severity=asked["severity"],
        confirmed_only=confirmed_only,
    )
    timeline = [
        {**vars(entry), "offset_seconds": (entry.at - start).total_seconds()} for entry in found.entries
    ]
    warnings = lint_flow(session(), team_id, flow, confirmed_only=confirmed_only)
    maintenance = maintenance_of(session(), team_id, [flow_id], start).get(flow_id)
    return {**vars(found), "timeline": timeline, "warnings": warnings, "maintenance": maintenance}


def _nodes(flow: Flow, asked: Mapping[str, Any], name: str) -> frozenset[str]:
    numbers = asked.get(name, frozenset())
    if any(number > len(flow.nodes) for number in numbers):
        pointer = "/unknown" if name == "unanswered" else f"/{name}"
        raise InvalidInputError(pointer, f"The flow has nodes 1 to {len(flow.nodes)}.")
    return frozenset(flow.nodes[number - 1].id for number in numbers)
