"""How a delivery stands, and all that its sender needs to know: read in one statement, without a lock.

What is read decides what to try; whether it may be done is settled by the guards of the transitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, exists, func, select
from sqlalchemy.orm import Session, aliased

from alertops.channels.event_body import Event
from alertops.escalation.states import UNFINISHED, AttemptStatus
from alertops.models import EventDelivery, Execution, Subscription, TimelineEntry


class Told(StrEnum):
    """What came of a wake-up."""

    NOTHING = "nothing"  # there is no such delivery, it is over, or somebody is sending it
    UNWANTED = "unwanted"  # the subscription was deleted or disabled: it is cancelled
    BEHIND = "behind"  # one before it is not over; who ends that one wakes this one
    EARLY = "early"  # it is not due yet
    AWAY = "away"  # the host has no place free: it is woken a little later
    LOST = "lost"  # somebody else has it by now
    DELIVERED = "delivered"
    FAILED = "failed"  # it is tried again later
    GIVEN_UP = "given_up"  # it has failed for too long: the next one goes on
    GONE = "gone"  # the receiver said that it is gone: the subscription is disabled


class Line(NamedTuple):
    """What one subscription is told of one execution."""

    execution_id: UUID
    subscription_id: UUID


@dataclass(frozen=True)
class Seen:
    """A delivery as it was read; `unmet` is why it is not to be sent now, None when it is."""

    id: UUID
    line: Line
    claim_number: int
    tries: int
    due_at: datetime
    created_at: datetime
    event: Event
    now: datetime
    unmet: Told | None


def is_behind() -> ColumnElement[bool]:
    """Whether one before it in its line is not over.

    Entries of an execution are committed in their order, under its lock, and what is over stays over: once
    none is before it, none ever will be.
    """
    before = aliased(EventDelivery)
    return exists().where(
        before.execution_id == EventDelivery.execution_id,
        before.subscription_id == EventDelivery.subscription_id,
        before.position < EventDelivery.position,
        before.status.in_(UNFINISHED),
    )


_WANTED = (Subscription.id == EventDelivery.subscription_id) & Subscription.enabled
_READ = (
    select(
        EventDelivery.id,
        EventDelivery.execution_id,
        EventDelivery.subscription_id,
        EventDelivery.position,
        EventDelivery.flow_id,
        EventDelivery.execution_status,
        EventDelivery.status,
        EventDelivery.claim_number,
        EventDelivery.tries,
        EventDelivery.due_at,
        EventDelivery.lease_until,
        EventDelivery.created_at,
        Execution.team_id,
        Execution.summary,
        Execution.severity,
        Execution.dedup_key,
        TimelineEntry.event,
        TimelineEntry.at,
        TimelineEntry.step_number,
        TimelineEntry.target_number,
        TimelineEntry.attempt_number,
        TimelineEntry.actor_id,
        TimelineEntry.detail,
        Subscription.url,
        is_behind().label("behind"),
        func.clock_timestamp().label("now"),
    )
    .join(Execution, Execution.id == EventDelivery.execution_id)
    .join(TimelineEntry, TimelineEntry.id == EventDelivery.position)
    .outerjoin(Subscription, _WANTED)
    .where(EventDelivery.id == bindparam("delivery"))
)


def read_delivery(session: Session, delivery_id: UUID) -> Seen | None:
    """The delivery; None when there is none. The transaction stays open, and holds no lock."""
    row = session.execute(_READ, {"delivery": delivery_id}).one_or_none()
    if row is None:
        return None
    return Seen(
        id=row.id,
        line=Line(row.execution_id, row.subscription_id),
        claim_number=row.claim_number,
        tries=row.tries,
        due_at=row.due_at,
        created_at=row.created_at,
        event=_event(row),
        now=row.now,
        unmet=_unmet(row),
    )


def _unmet(row: Any) -> Told | None:
    being_sent = row.status == AttemptStatus.SENDING and row.lease_until > row.now
    if row.status not in UNFINISHED or being_sent:
        return Told.NOTHING
    if row.url is None:
        return Told.UNWANTED
    if row.behind:
        return Told.BEHIND
    return Told.EARLY if row.due_at > row.now else None


def _event(row: Any) -> Event:
    return Event(
        key=str(row.id),
        url=row.url or "",
        event=row.event,
        at=row.at,
        position=row.position,
        execution_id=row.execution_id,
        team_id=row.team_id,
        flow_id=row.flow_id,
        status=row.execution_status,
        summary=row.summary,
        severity=row.severity,
        dedup_key=row.dedup_key,
        step=row.step_number,
        target=row.target_number,
        attempt=row.attempt_number,
        actor_id=row.actor_id,
        detail=row.detail,
    )
