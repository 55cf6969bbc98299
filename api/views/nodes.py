"""Nodes: the positions of a flow. Their ETag is the flow's, and every change answers with the flow."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import FlowNode
from alertops.services.access.door import find_flow, find_node
from alertops.services.access.permissions import Action
from alertops.services.flows.edit_flow import add_node, change_node, remove_node, reorder_nodes
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import session
from api.preconditions import CONDITIONAL, ETAG
from api.schemas.flows import LintedFlowSchema, NewNodeInput, NodeChange, NodeSchema, OrderInput
from api.views.editing import Answer, edited, editor, etag_of

blueprint = TeamBlueprint("nodes", __name__, description="Nodes: who is told, and after how long")


@blueprint.post("/flows/<uuid:flow_id>/nodes")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(NewNodeInput)
@blueprint.doc(**CONDITIONAL)
@blueprint.response(201, LintedFlowSchema, headers=ETAG)
def add(node: dict[str, Any], flow_id: UUID) -> Answer:
    """Add a node, at a position or at the end."""
    flow = find_flow(session(), asking(), flow_id)
    position = node.pop("position", None)
    node_id = add_node(session(), flow, editor(), node, position)
    answer, status, headers = edited(flow, 201)
    location = {"Location": url_for("nodes.show", flow_id=flow.id, node_id=node_id)}
    return answer, status, {**location, **headers}


@blueprint.put("/flows/<uuid:flow_id>/nodes/order")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(OrderInput)
@blueprint.doc(**CONDITIONAL)
@blueprint.response(200, LintedFlowSchema, headers=ETAG)
def order(order: dict[str, list[UUID]], flow_id: UUID) -> Answer:
    """Bring the nodes into another order, which names each of them once."""
    flow = find_flow(session(), asking(), flow_id)
    reorder_nodes(session(), flow, editor(), order["node_ids"])
    return edited(flow)


@blueprint.get("/flows/<uuid:flow_id>/nodes/<uuid:node_id>")
@blueprint.permits(Action.VIEW)
@blueprint.response(200, NodeSchema, headers=ETAG)
def show(flow_id: UUID, node_id: UUID) -> tuple[FlowNode, int, dict[str, str]]:
    """Show a node."""
    flow, node = find_node(session(), asking(), flow_id, node_id)
    return node, 200, etag_of(flow)


@blueprint.patch("/flows/<uuid:flow_id>/nodes/<uuid:node_id>")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(NodeChange)
@blueprint.doc(**CONDITIONAL)
@blueprint.response(200, LintedFlowSchema, headers=ETAG)
def change(changes: dict[str, Any], flow_id: UUID, node_id: UUID) -> Answer:
    """Change what is named of a node."""
    flow = find_flow(session(), asking(), flow_id)
    change_node(session(), flow, editor(), node_id, changes)
    return edited(flow)


@blueprint.delete("/flows/<uuid:flow_id>/nodes/<uuid:node_id>")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.doc(**CONDITIONAL)
@blueprint.response(200, LintedFlowSchema, headers=ETAG)
def remove(flow_id: UUID, node_id: UUID) -> Answer:
    """Take a node out of the flow; the last one has to stay."""
    flow = find_flow(session(), asking(), flow_id)
    remove_node(session(), flow, editor(), node_id)
    return edited(flow)
