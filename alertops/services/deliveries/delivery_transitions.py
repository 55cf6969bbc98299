"""Every change of a delivery's state, as a guarded statement; each says whether it was this caller's.

::

    (nothing) ──▶ scheduled ──claim──▶ sending ──▶ delivered | failed
                   │   ▲  ▲               │
                   │   │  └──try again────┤
                   │   └──────────────────┘ claimed again: the lease ran out
                   ▼
               cancelled: nobody wants it any more

It is claimed when none before it in its line is left, whoever tries. What the holder of a claim writes is
fenced by the claim's number and by its lease's id, as with attempts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import CursorResult, Row, case, exists, func, select, update
from sqlalchemy.orm import Session

from alertops.db import commit_without_flush
from alertops.escalation.states import UNFINISHED, AttemptStatus
from alertops.models import EventDelivery, Subscription
from alertops.services.deliveries.standing import Line, Seen, is_behind

_now = func.clock_timestamp
_SCHEDULED = EventDelivery.status == AttemptStatus.SCHEDULED
_SENDING = EventDelivery.status == AttemptStatus.SENDING
_ABANDONED = _SENDING & (EventDelivery.lease_until <= _now())
_WANTED = exists().where(Subscription.id == EventDelivery.subscription_id, Subscription.enabled)


class Claimed(NamedTuple):
    """What fences: the number of a claim, and which lease it is."""

    delivery_id: UUID
    number: int
    lease_id: UUID


def claim_delivery(session: Session, seen: Seen, lease_seconds: float) -> Claimed | None:
    """scheduled and due, or sending with an expired lease; wanted, and first in its line -> sending.

    The commit will not wait for the disk: a claim that a crash loses leads to a repeat under the same id.
    """
    claimed = Claimed(seen.id, seen.claim_number + 1, uuid4())
    free = (_SCHEDULED & (EventDelivery.due_at <= _now())) | _ABANDONED
    commit_without_flush(session)
    held = _change(
        session,
        (_as_seen(seen), free, _WANTED, ~is_behind()),
        status=AttemptStatus.SENDING,
        claim_number=claimed.number,
        tries=EventDelivery.tries + 1,
        lease_id=claimed.lease_id,
        lease_until=_now() + timedelta(seconds=lease_seconds),
        recovery_count=0,
    )
    return claimed if held else None


def put_off(session: Session, seen: Seen, pause: timedelta) -> bool:
    """scheduled, or sending with an expired lease -> the same, and due later: nobody has tried it."""
    later = _now() + pause
    commit_without_flush(session)
    return _change(
        session,
        (_as_seen(seen), _SCHEDULED | _ABANDONED),
        due_at=later,
        lease_until=case((_SENDING, later), else_=None),
        dispatched_at=None,
        recovery_count=0,
    )


def end_delivery(session: Session, claimed: Claimed, to: AttemptStatus, detail: str) -> bool:
    """sending under this claim -> delivered or failed."""
    return _change(session, (_mine(claimed),), status=to, finished_at=_now(), detail=detail)


def try_again(session: Session, claimed: Claimed, pause: timedelta, detail: str) -> bool:
    """sending under this claim -> scheduled, due after the pause."""
    return _change(
        session,
        (_mine(claimed),),
        status=AttemptStatus.SCHEDULED,
        due_at=_now() + pause,
        lease_until=None,
        detail=detail,
        dispatched_at=None,
    )


def cancel_line(session: Session, line: Line) -> None:
    """scheduled, or sending with an expired lease -> cancelled: all of a line that nobody wants."""
    _change(
        session,
        (
            _of(line),
            _SCHEDULED | _ABANDONED,
            ~_WANTED,
        ),
        status=AttemptStatus.CANCELLED,
        finished_at=_now(),
    )


def first_of_line(session: Session, line: Line) -> Row[UUID, datetime] | None:
    """Which is to be sent next, and when; none while somebody sends one.

    To be asked after the end of the one before it was committed: what is inserted later finds that one over,
    and goes by its own wake-up.
    """
    first = (
        select(EventDelivery.id, EventDelivery.due_at, _SCHEDULED.label("waits"))
        .where(_of(line), EventDelivery.status.in_(UNFINISHED))
        .order_by(EventDelivery.position)
        .limit(1)
        .subquery()
    )
    return session.execute(select(first.c.id, first.c.due_at).where(first.c.waits)).one_or_none()


def _of(line: Line) -> Any:
    return (EventDelivery.execution_id == line.execution_id) & (
        EventDelivery.subscription_id == line.subscription_id
    )


def _as_seen(seen: Seen) -> Any:
    return (EventDelivery.id == seen.id) & (EventDelivery.claim_number == seen.claim_number)


def _mine(claimed: Claimed) -> Any:
    return (
        (EventDelivery.id == claimed.delivery_id)
        & (EventDelivery.claim_number == claimed.number)
        & (EventDelivery.lease_id == claimed.lease_id)
        & _SENDING
    )


def _change(session: Session, guards: tuple[Any, ...], **values: Any) -> bool:
    result: CursorResult[Any] = session.execute(  # type: ignore[assignment]  # an UPDATE gives a cursor's result
        update(EventDelivery).where(*guards).values(values).execution_options(synchronize_session=False)
    )
    return result.rowcount > 0
