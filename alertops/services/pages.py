"""Lists, a page at a time: always in the same order, and a page starts where the last one ended.

A page is found by the place of the row before it, not by counting rows, so that what is inserted
meanwhile neither repeats nor hides anything, and the last page is as cheap as the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import DeclarativeBase, Session, defer, joinedload

from alertops.models import (
    ApiKey,
    Change,
    Destination,
    Execution,
    Flow,
    FlowRevision,
    GoneWebhook,
    GroupedAlert,
    Heartbeat,
    Integration,
    Invitation,
    MaintenanceWindow,
    Outsider,
    Subscription,
    Team,
    TimelineEntry,
    WebhookSecret,
)
from alertops.services.access.actor import Actor
from alertops.services.access.door import seen_by

M = TypeVar("M", bound=DeclarativeBase)
Row = TypeVar("Row")
Spot = TypeVar("Spot")


@dataclass(frozen=True)
class Place:
    """The place of a row in a list that is ordered by creation."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True)
class Page(Generic[Row, Spot]):
    """Some rows of a list, and the place after which the next page starts (None at the end)."""

    items: list[Row]
    next: Spot | None


def teams_of(session: Session, actor: Actor, *, limit: int, after: Place | None = None) -> Page[Team, Place]:
    """The teams that the actor belongs to, newest first."""
    return _newest_first(session, select(Team).where(seen_by(actor, Team.id)), Team, after, limit)


def flows_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None, archived: bool = False
) -> Page[Flow, Place]:
    """The team's flows with their nodes, newest first: those in use, or those that were archived."""
    query = select(Flow).where(Flow.team_id == team_id, Flow.archived_at.is_not(None) == archived)
    # In one statement: a second one could read the nodes of a later revision.
    return _newest_first(session, query.options(joinedload(Flow.nodes)), Flow, after, limit)


def revisions_of(
    session: Session, flow_id: UUID, *, limit: int, after: int | None = None
) -> Page[FlowRevision, int]:
    """The flow's revisions, newest first, without what they say."""
    query = select(FlowRevision).where(FlowRevision.flow_id == flow_id)
    if after is not None:
        query = query.where(FlowRevision.number < after)
    query = query.order_by(FlowRevision.number.desc()).options(defer(FlowRevision.definition, raiseload=True))
    return _page(session, query, limit, lambda revision: revision.number)


def executions_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None, status: str | None = None
) -> Page[Execution, Place]:
    """The team's executions (in this state), newest first."""
    query = select(Execution).where(Execution.team_id == team_id)
    if status is not None:
        query = query.where(Execution.status == status)
    return _newest_first(session, query, Execution, after, limit)


def invitations_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None, status: str | None = None
) -> Page[Invitation, Place]:
    """The team's invitations (in this state), newest first."""
    query = select(Invitation).where(Invitation.team_id == team_id)
    if status is not None:
        query = query.where(Invitation.status == status)
    return _newest_first(session, query, Invitation, after, limit)


def outsiders_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None
) -> Page[Outsider, Place]:
    """The addresses that the team alerts and that are no member's, newest first."""
    query = select(Outsider).where(Outsider.team_id == team_id)
    return _newest_first(session, query, Outsider, after, limit)


def timeline_of(
    session: Session, execution_id: UUID, *, limit: int, after: int = 0
) -> Page[TimelineEntry, int]:
    """What happened to the execution, oldest first."""
    query = (
        select(TimelineEntry)
        .where(TimelineEntry.execution_id == execution_id, TimelineEntry.id > after)
        .order_by(TimelineEntry.id)
    )
    return _page(session, query, limit, lambda entry: entry.id)


def grouped_alerts_of(
    session: Session, execution_id: UUID, *, limit: int, after: int = 0
) -> Page[GroupedAlert, int]:
    """The alerts that the execution has taken in, oldest first."""
    query = (
        select(GroupedAlert)
        .where(GroupedAlert.execution_id == execution_id, GroupedAlert.id > after)
        .order_by(GroupedAlert.id)
    )
    return _page(session, query, limit, lambda alert: alert.id)


def api_keys_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None
) -> Page[ApiKey, Place]:
    """The team's keys, newest first, those too that open nothing any more."""
    return _newest_first(session, select(ApiKey).where(ApiKey.team_id == team_id), ApiKey, after, limit)


def maintenance_windows_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None
) -> Page[MaintenanceWindow, Place]:
    """The team's maintenance windows, newest first, those too that are over."""
    query = select(MaintenanceWindow).where(MaintenanceWindow.team_id == team_id)
    return _newest_first(session, query, MaintenanceWindow, after, limit)


def webhook_secrets_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None
) -> Page[WebhookSecret, Place]:
    """The team's webhook secrets, newest first."""
    query = select(WebhookSecret).where(WebhookSecret.team_id == team_id)
    return _newest_first(session, query, WebhookSecret, after, limit)


def integrations_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None
) -> Page[Integration, Place]:
    """The team's integrations, newest first, those too that were revoked."""
    query = select(Integration).where(Integration.team_id == team_id)
    return _newest_first(session, query, Integration, after, limit)


def heartbeats_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None
) -> Page[Heartbeat, Place]:
    """The team's heartbeats, newest first."""
    return _newest_first(
        session, select(Heartbeat).where(Heartbeat.team_id == team_id), Heartbeat, after, limit
    )


def subscriptions_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None
) -> Page[Subscription, Place]:
    """The team's subscriptions, newest first, those too that are disabled."""
    query = select(Subscription).where(Subscription.team_id == team_id)
    return _newest_first(session, query, Subscription, after, limit)


def destinations_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None
) -> Page[Destination, Place]:
    """The team's destinations, newest first."""
    query = select(Destination).where(Destination.team_id == team_id)
    return _newest_first(session, query, Destination, after, limit)


def changes_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None
) -> Page[Change, Place]:
    """The changes that the team's integrations have told of, newest first."""
    return _newest_first(session, select(Change).where(Change.team_id == team_id), Change, after, limit)


def gone_webhooks_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None
) -> Page[GoneWebhook, Place]:
    """The team's webhooks that are gone, newest first."""
    query = select(GoneWebhook).where(GoneWebhook.team_id == team_id)
    return _newest_first(session, query, GoneWebhook, after, limit)


def _newest_first(
    session: Session, query: Select[M], model: type[M], after: Place | None, limit: int
) -> Page[M, Place]:
    columns: Any = model
    if after is not None:
        query = query.where(tuple_(columns.created_at, columns.id) < (after.created_at, after.id))
    query = query.order_by(columns.created_at.desc(), columns.id.desc())
    return _page(session, query, limit, _place)


def _place(row: Any) -> Place:
    return Place(row.created_at, row.id)


def _page(session: Session, query: Select[Row], limit: int, place: Callable[[Row], Spot]) -> Page[Row, Spot]:
    # One row more than asked for tells whether there is a next page.
    rows = list(session.scalars(query.limit(limit + 1)).unique())
    items = rows[:limit]
    return Page(items, place(items[-1]) if len(rows) > limit else None)
