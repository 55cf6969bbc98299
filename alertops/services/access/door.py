"""The one door to what belongs to a team.

Whoever does not belong to the team finds nothing there: `NotFoundError` comes in the same words whether the
object does not exist or is another team's, so that an answer tells a stranger nothing. Whoever belongs to
it, but may not do what they ask for, gets `ForbiddenError`.

Membership and role are read with the object, each time: a role that was taken away is gone at once.
"""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from alertops.errors import ForbiddenError, NotFoundError
from alertops.models import (
    Destination,
    Execution,
    Flow,
    FlowNode,
    FlowRevision,
    Heartbeat,
    Integration,
    Invitation,
    Membership,
    Outsider,
    Subscription,
    Team,
)
from alertops.models.team import Role
from alertops.services.access.actor import Actor, Asking, Person
from alertops.services.access.permissions import PERMISSIONS, role_may, roles_for, scopes_may

T = TypeVar("T")


def seen_by(actor: Actor, team_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """The condition that the actor belongs to the team in this column."""
    if isinstance(actor, Person):
        return exists().where(Membership.team_id == team_id, Membership.user_id == actor.id)
    return team_id == actor.team_id


def find_team(session: Session, asking: Asking, team_id: UUID) -> Team:
    """The team."""
    return _find(session, asking, select(Team).where(Team.id == team_id), Team.id, "team")


def find_flow(session: Session, asking: Asking, flow_id: UUID, *, with_nodes: bool = False) -> Flow:
    """The flow. Its nodes are loaded only on demand."""
    query = select(Flow).where(Flow.id == flow_id)
    if with_nodes:
        # In one statement: a second one could read the nodes of a later revision.
        query = query.options(joinedload(Flow.nodes))
    return _find(session, asking, query, Flow.team_id, "flow")


def team_to_start_in(session: Session, asking: Asking, flow_id: UUID) -> UUID:
    """The team whose flow it is, if the actor may raise alerts there.

    A program's is its own, without a look at the flow: that it is of that team is seen to by the start
    (`services/open_or_join.py`), which says the same when it is not.
    """
    if isinstance(asking.actor, Person):
        return find_flow(session, asking, flow_id).team_id
    _require(asking, None)
    return asking.actor.team_id


def find_node(session: Session, asking: Asking, flow_id: UUID, node_id: UUID) -> tuple[Flow, FlowNode]:
    """The node and its flow."""
    flow = find_flow(session, asking, flow_id, with_nodes=True)
    for node in flow.nodes:
        if node.id == node_id:
            return flow, node
    raise NotFoundError("There is no such node in this flow.")


def find_revision(session: Session, asking: Asking, flow_id: UUID, number: int) -> FlowRevision:
    """The revision of the flow."""
    query = (
        select(FlowRevision)
        .join(Flow, Flow.id == FlowRevision.flow_id)
        .where(Flow.id == flow_id, FlowRevision.number == number)
    )
    return _find(session, asking, query, Flow.team_id, "revision")


def find_invitation(session: Session, asking: Asking, team_id: UUID, invitation_id: UUID) -> Invitation:
    """The invitation of the team."""
    query = select(Invitation).where(Invitation.id == invitation_id, Invitation.team_id == team_id)
    return _find(session, asking, query, Invitation.team_id, "invitation")


def find_outsider(session: Session, asking: Asking, team_id: UUID, outsider_id: UUID) -> Outsider:
    """The outsider that the team alerts."""
    query = select(Outsider).where(Outsider.id == outsider_id, Outsider.team_id == team_id)
    return _find(session, asking, query, Outsider.team_id, "address")


def find_integration(session: Session, asking: Asking, team_id: UUID, integration_id: UUID) -> Integration:
    """The integration of the team."""
    query = select(Integration).where(Integration.id == integration_id, Integration.team_id == team_id)
    return _find(session, asking, query, Integration.team_id, "integration")


def find_heartbeat(session: Session, asking: Asking, heartbeat_id: UUID) -> Heartbeat:
    """The heartbeat."""
    query = select(Heartbeat).where(Heartbeat.id == heartbeat_id)
    return _find(session, asking, query, Heartbeat.team_id, "heartbeat")


def find_subscription(session: Session, asking: Asking, subscription_id: UUID) -> Subscription:
    """The subscription."""
    query = select(Subscription).where(Subscription.id == subscription_id)
    return _find(session, asking, query, Subscription.team_id, "subscription")


def find_destination(
    session: Session, asking: Asking, destination_id: UUID, *, fresh: bool = False
) -> Destination:
    """The destination; `fresh` reads again what the session has read before."""
    query = select(Destination).where(Destination.id == destination_id)
    query = query.execution_options(populate_existing=fresh)
    return _find(session, asking, query, Destination.team_id, "destination")


def find_execution(session: Session, asking: Asking, execution_id: UUID) -> Execution:
    """The execution."""
    query = select(Execution).where(Execution.id == execution_id)
    return _find(session, asking, query, Execution.team_id, "execution")


def _find(
    session: Session,
    asking: Asking,
    query: Select[T],
    team_id: InstrumentedAttribute[UUID],
    what: str,
) -> T:
    found = session.execute(_with_role(asking.actor, query, team_id)).unique().one_or_none()
    if found is None:
        raise NotFoundError(f"There is no such {what}, or none that you may see.")
    row, role = found
    _require(asking, role)
    thing: T = row
    return thing


def _with_role(actor: Actor, query: Select[Any], team_id: InstrumentedAttribute[UUID]) -> Select[Any]:
    """The query for what is in the actor's teams, and the actor's role there; a program has none."""
    if isinstance(actor, Person):
        here = (Membership.team_id == team_id) & (Membership.user_id == actor.id)
        return query.join(Membership, here).add_columns(Membership.role)
    return query.where(team_id == actor.team_id).add_columns(literal(None))


def _require(asking: Asking, role: str | None) -> None:
    actor, action = asking.actor, asking.action
    words = PERMISSIONS[action].words
    if isinstance(actor, Person):
        if role is not None and role_may(Role(role), action):
            return
        able = ", ".join(roles_for(action))
        raise ForbiddenError(f"You are {role} in this team. To {words} takes one of: {able}.", role=role)
    if scopes_may(actor.scopes, action):
        return
    able = ", ".join(sorted(PERMISSIONS[action].scopes))
    takes = f"takes a key with one of: {able}" if able else "takes a person, not a key"
    raise ForbiddenError(f"To {words} {takes}.", scopes=sorted(actor.scopes))
