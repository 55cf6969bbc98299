"""Flows: how a team's alerts escalate."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import Flow
from alertops.services.access import find_flow, find_team
from alertops.services.create_flow import create_flow
from alertops.services.pages import Page, Place, flows_of
from api.blueprints import MembersBlueprint
from api.extensions import session
from api.schemas.flows import FlowInput, FlowPageSchema, FlowSchema
from api.schemas.pages import PageQuery
from api.tokens import caller

blueprint = MembersBlueprint("flows", __name__, description="Flows: how alerts escalate")

_ETAG = {"ETag": {"description": "The flow's revision.", "schema": {"type": "string"}}}


@blueprint.post("/teams/<uuid:team_id>/flows")
@blueprint.arguments(FlowInput)
@blueprint.response(201, FlowSchema, headers=_ETAG)
def create(flow: dict[str, Any], team_id: UUID) -> tuple[Flow, int, dict[str, str]]:
    """Describe an escalation: nodes that fire in order until somebody acknowledges."""
    team = find_team(session(), caller().id, team_id)
    created = create_flow(session(), team.id, caller().id, **flow)
    location = {"Location": url_for("flows.show", flow_id=created.id)}
    return created, 201, {**location, **_etag(created)}


@blueprint.get("/teams/<uuid:team_id>/flows")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, FlowPageSchema)
def list_flows(page: dict[str, Any], team_id: UUID) -> Page[Flow, Place]:
    """List a team's flows, newest first."""
    team = find_team(session(), caller().id, team_id)
    return flows_of(session(), team.id, **page)


@blueprint.get("/flows/<uuid:flow_id>")
@blueprint.response(200, FlowSchema, headers=_ETAG)
def show(flow_id: UUID) -> tuple[Flow, int, dict[str, str]]:
    """Show a flow with its nodes."""
    flow = find_flow(session(), caller().id, flow_id, with_nodes=True)
    return flow, 200, _etag(flow)


def _etag(flow: Flow) -> dict[str, str]:
    return {"ETag": f'"{flow.revision_number}"'}
