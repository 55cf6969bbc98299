"""A team describes an escalation: a flow, its nodes, and revision 1, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops import models
from alertops.errors import InvalidInputError
from alertops.escalation.flow import Flow, Node, flow_from_json, flow_to_json


def create_flow(
    session: Session,
    team_id: UUID,
    author_id: UUID,
    *,
    name: str,
    description: str,
    repeat: int,
    nodes: Sequence[Mapping[str, Any]],
) -> models.Flow:
    """Create the flow and commit. `nodes` are as in a frozen definition, but have no ids yet.

    Raises `InvalidInputError` when a recipient is not a member of the team.
    """
    _require_members(session, team_id, nodes)
    definition = flow_from_json({"repeat": repeat, "nodes": [{"id": str(uuid4()), **node} for node in nodes]})
    flow = models.Flow(team_id=team_id, name=name, description=description, repeat=repeat, revision_number=1)
    flow.nodes = [_row(position, node) for position, node in enumerate(definition.nodes)]
    session.add(flow)
    session.flush()
    session.add(_first_revision(flow.id, definition, author_id))
    session.commit()
    return flow


def _require_members(session: Session, team_id: UUID, nodes: Sequence[Mapping[str, Any]]) -> None:
    named = {
        position: UUID(node["recipient"]["user_id"])
        for position, node in enumerate(nodes)
        if node["recipient"]["type"] == "user"
    }
    if not named:
        return
    members = set(
        session.scalars(
            select(models.Membership.user_id).where(
                models.Membership.team_id == team_id, models.Membership.user_id.in_(named.values())
            )
        )
    )
    for position, user_id in named.items():
        if user_id not in members:
            raise InvalidInputError(f"/nodes/{position}/recipient/user_id", "Not a member of this team.")


def _row(position: int, node: Node) -> models.FlowNode:
    return models.FlowNode(
        id=UUID(node.id),
        position=position,
        name=node.name,
        recipient=dict(node.recipient),
        delay_seconds=node.delay_seconds,
        **vars(node.retry),
        on_failure=node.on_failure,
        on_unknown=node.on_unknown,
    )


def _first_revision(flow_id: UUID, definition: Flow, author_id: UUID) -> models.FlowRevision:
    return models.FlowRevision(
        flow_id=flow_id, number=1, definition=flow_to_json(definition), author_id=author_id
    )
