"""The one door to what belongs to a team: whoever is not a member finds nothing there.

Each function raises `NotFoundError` in the same words whether the object does not exist or is
another team's, so that an answer tells a stranger nothing.
"""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from alertops.errors import NotFoundError
from alertops.models import Execution, Flow, FlowNode, FlowRevision, Membership, Team

T = TypeVar("T")


def member_of(user_id: UUID, team_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """The condition that the user is a member of the team in this column."""
    return exists().where(Membership.team_id == team_id, Membership.user_id == user_id)


def find_team(session: Session, user_id: UUID, team_id: UUID) -> Team:
    """The team, if the user is a member of it."""
    query = select(Team).where(Team.id == team_id, member_of(user_id, Team.id))
    return _only(session, query, "team")


def find_flow(session: Session, user_id: UUID, flow_id: UUID, *, with_nodes: bool = False) -> Flow:
    """The flow, if the user is a member of its team. Its nodes are loaded only on demand."""
    query = select(Flow).where(Flow.id == flow_id, member_of(user_id, Flow.team_id))
    if with_nodes:
        # In one statement: a second one could read the nodes of a later revision.
        query = query.options(joinedload(Flow.nodes))
    return _only(session, query, "flow")


def find_node(session: Session, user_id: UUID, flow_id: UUID, node_id: UUID) -> tuple[Flow, FlowNode]:
    """The node and its flow, if the user is a member of the flow's team."""
    flow = find_flow(session, user_id, flow_id, with_nodes=True)
    for node in flow.nodes:
        if node.id == node_id:
            return flow, node
    raise NotFoundError("There is no such node in this flow.")


def find_revision(session: Session, user_id: UUID, flow_id: UUID, number: int) -> FlowRevision:
    """The revision of the flow, if the user is a member of its team."""
    query = (
        select(FlowRevision)
        .join(Flow, Flow.id == FlowRevision.flow_id)
        .where(Flow.id == flow_id, FlowRevision.number == number, member_of(user_id, Flow.team_id))
    )
    return _only(session, query, "revision")


def find_execution(session: Session, user_id: UUID, execution_id: UUID) -> Execution:
    """The execution, if the user is a member of its team."""
    query = select(Execution).where(Execution.id == execution_id, member_of(user_id, Execution.team_id))
    return _only(session, query, "execution")


def _only(session: Session, query: Select[T], what: str) -> T:
    found = session.scalars(query).unique().one_or_none()
    if found is None:
        raise NotFoundError(f"There is no such {what}, or none that you may see.")
    return found
