"""Flows: how a team's alerts escalate. Their nodes and revisions have files of their own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import Flow
from alertops.services.access.door import find_flow, find_team
from alertops.services.access.permissions import Action
from alertops.services.flows.archive_flow import archive_flow, unarchive_flow
from alertops.services.flows.create_flow import create_flow
from alertops.services.flows.edit_flow import change_flow
from alertops.services.flows.replace_flow import replace_flow
from alertops.services.pages import Page, Place, flows_of
from api.asking import actor, asking
from api.blueprints import TeamBlueprint
from api.extensions import session
from api.preconditions import CONDITIONAL, ETAG
from api.schemas.flow_definition import FlowDefinition
from api.schemas.flows import FlowChange, FlowInput, FlowPageSchema, FlowQuery, LintedFlowSchema
from api.schemas.nothing import NothingInput
from api.views.editing import Answer, ask_those_outside, edited, editor, etag_of, linted

blueprint = TeamBlueprint("flows", __name__, description="Flows: how alerts escalate")


@blueprint.post("/teams/<uuid:team_id>/flows")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(FlowInput)
@blueprint.response(201, LintedFlowSchema, headers=ETAG)
def create(flow: dict[str, Any], team_id: UUID) -> Answer:
    """Describe an escalation: nodes that fire in order until somebody acknowledges."""
    team = find_team(session(), asking(), team_id)
    created = create_flow(session(), team.id, actor(), **flow)
    ask_those_outside(created)
    location = {"Location": url_for("flows.show", flow_id=created.id)}
    return linted(created), 201, {**location, **etag_of(created)}


@blueprint.get("/teams/<uuid:team_id>/flows")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(FlowQuery, location="query")
@blueprint.response(200, FlowPageSchema)
def list_flows(page: dict[str, Any], team_id: UUID) -> Page[Flow, Place]:
    """List a team's flows, newest first."""
    team = find_team(session(), asking(), team_id)
    return flows_of(session(), team.id, **page)


@blueprint.get("/flows/<uuid:flow_id>")
@blueprint.permits(Action.VIEW)
@blueprint.response(200, LintedFlowSchema, headers=ETAG)
def show(flow_id: UUID) -> Answer:
    """Show a flow with its nodes."""
    flow = find_flow(session(), asking(), flow_id, with_nodes=True)
    return linted(flow), 200, etag_of(flow)


@blueprint.patch("/flows/<uuid:flow_id>")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(FlowChange)
@blueprint.doc(**CONDITIONAL)
@blueprint.response(200, LintedFlowSchema, headers=ETAG)
def change(changes: dict[str, Any], flow_id: UUID) -> Answer:
    """Change a flow, from its next execution on; what runs goes on as it was."""
    flow = find_flow(session(), asking(), flow_id)
    change_flow(session(), flow, editor(), changes)
    return edited(flow)


@blueprint.put("/flows/<uuid:flow_id>")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(FlowDefinition)
@blueprint.doc(**CONDITIONAL)
@blueprint.response(200, LintedFlowSchema, headers=ETAG)
def replace(definition: dict[str, Any], flow_id: UUID) -> Answer:
    """Replace all that a flow says, in one change; nodes that are named by their ids stay the same nodes."""
    flow = find_flow(session(), asking(), flow_id)
    replace_flow(session(), flow, editor(), definition)
    return edited(flow)


@blueprint.delete("/flows/<uuid:flow_id>")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.doc(**CONDITIONAL)
@blueprint.response(200, LintedFlowSchema, headers=ETAG)
def archive(flow_id: UUID) -> Answer:
    """Archive a flow: it starts nothing more, and what runs finishes. Safe to repeat."""
    flow = find_flow(session(), asking(), flow_id)
    archive_flow(session(), flow, editor())
    return edited(flow)


@blueprint.post("/flows/<uuid:flow_id>/unarchive")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(NothingInput, required=False)
@blueprint.doc(**CONDITIONAL)
@blueprint.response(200, LintedFlowSchema, headers=ETAG)
def unarchive(_: dict[str, Any], flow_id: UUID) -> Answer:
    """Take a flow out of the archive, as it was. Safe to repeat."""
    flow = find_flow(session(), asking(), flow_id)
    unarchive_flow(session(), flow, editor())
    return edited(flow)
