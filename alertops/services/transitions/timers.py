"""Transitions of timers.

::

    (nothing) ──▶ waiting ──due──▶ fired
                     └──────────▶ cancelled
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.orm import Session

from alertops.escalation.states import TimerKind, TimerStatus
from alertops.models import Timer
from alertops.services.keys import TimerKey
from alertops.services.prepared import Prepared
from alertops.services.transitions.guarded import changed, now

_TIMERS = cast(Table, Timer.__table__)
_OF_EXECUTION = _TIMERS.c.execution_id == bindparam("key_execution")
_WAITING = _TIMERS.c.status == TimerStatus.WAITING

_FIRE = Prepared(
    "fire_timer",
    update(_TIMERS)
    .where(_OF_EXECUTION, _TIMERS.c.number == bindparam("key_number"), _WAITING, _TIMERS.c.due_at <= now())
    .values(status=TimerStatus.FIRED, fired_at=now()),
)


def insert_timer(session: Session, execution_id: UUID, kind: TimerKind, due_at: datetime) -> TimerKey:
    """(nothing) -> waiting, under the next number; the caller holds the execution's lock."""
    last = session.scalar(select(func.max(Timer.number)).where(Timer.execution_id == execution_id))
    key = TimerKey(execution_id, (last or 0) + 1)
    session.add(
        Timer(
            execution_id=execution_id,
            number=key.number,
            kind=kind,
            status=TimerStatus.WAITING,
            due_at=due_at,
        )
    )
    session.flush()
    return key


def fire_timer(session: Session, key: TimerKey) -> bool:
    """waiting and due -> fired."""
    return changed(session, _FIRE, {"key_execution": key.execution_id, "key_number": key.number})


def cancel_timers(session: Session, execution_id: UUID, kinds: Sequence[TimerKind]) -> None:
    """waiting -> cancelled, those of these kinds."""
    session.execute(
        update(_TIMERS)
        .where(_OF_EXECUTION, _WAITING, _TIMERS.c.kind.in_(kinds))
        .values(status=TimerStatus.CANCELLED),
        {"key_execution": execution_id},
    )
