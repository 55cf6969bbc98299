"""Transitions of heartbeats. Whoever makes one holds the row's lock; the guards hold even if they do not.

::

             first ping          not pinged in time
    new ───────────────────▶ up ────────────────────▶ missing
     ▲                      ▲▲ └──◀ ping: due later        │
     │ resumed,             │└──────────── ping ───────────┘
     │ never pinged         │ resumed, pinged at some time
     └───────────────── paused ◀── from all others, by a person

Who is up is watched: one wake-up is on its way. Each that is set has the next number, so that those before it
recognise themselves as stale, whatever became of them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from alertops.models import Heartbeat
from alertops.models.heartbeat import HeartbeatStatus
from alertops.services.dispatch import HeartbeatWakeUp
from alertops.services.keys import HeartbeatKey

_NOT_WATCHED: dict[str, Any] = {"wake_at": None, "wake_set_at": None, "dispatched_at": None}


def alert_key(heartbeat: Heartbeat) -> str:
    """What its alerts have in common."""
    return f"heartbeat:{heartbeat.id}"


def watch(session: Session, heartbeat: Heartbeat, due_at: datetime, at: datetime) -> HeartbeatWakeUp | None:
    """new, missing, paused or up -> up, and a wake-up for when it is due."""
    up = {"status": HeartbeatStatus.UP, "due_at": due_at, "missed_at": None}
    return _wake(session, heartbeat, tuple(HeartbeatStatus), due_at, at, **up)


def wake_again(
    session: Session, heartbeat: Heartbeat, wake_at: datetime, at: datetime
) -> HeartbeatWakeUp | None:
    """up -> up: the wake-up that was on its way has come, and this is the next one."""
    return _wake(session, heartbeat, (HeartbeatStatus.UP,), wake_at, at)


def put_off(session: Session, heartbeat: Heartbeat, due_at: datetime) -> bool:
    """up -> up, due at another time, and not before the wake-up that is on its way."""
    return _changed(session, heartbeat, (HeartbeatStatus.UP,), due_at=due_at)


def miss(session: Session, heartbeat: Heartbeat, execution_id: UUID, at: datetime) -> bool:
    """up -> missing, with what that has started."""
    missing = {"status": HeartbeatStatus.MISSING, "missed_at": at, "execution_id": execution_id}
    return _changed(session, heartbeat, (HeartbeatStatus.UP,), **missing, **_NOT_WATCHED)


def pause(session: Session, heartbeat: Heartbeat) -> bool:
    """new, up or missing -> paused. What its silence has started is not forgotten, and goes on."""
    paused = {"status": HeartbeatStatus.PAUSED, "due_at": None, "missed_at": None}
    others = {*HeartbeatStatus} - {HeartbeatStatus.PAUSED}
    return _changed(session, heartbeat, others, **paused, **_NOT_WATCHED)


def expect_first_ping(session: Session, heartbeat: Heartbeat) -> bool:
    """paused -> new."""
    return _changed(session, heartbeat, (HeartbeatStatus.PAUSED,), status=HeartbeatStatus.NEW)


def note_ping(session: Session, heartbeat: Heartbeat, at: datetime) -> bool:
    """Any state, which stays. Who is up is due later; what the silence before has started is told no more."""
    pinged: dict[str, Any] = {"last_ping_at": at, "execution_id": None}
    if heartbeat.status == HeartbeatStatus.UP:
        pinged["due_at"] = at + heartbeat.patience
    return _changed(session, heartbeat, tuple(HeartbeatStatus), **pinged)


def _wake(
    session: Session,
    heartbeat: Heartbeat,
    before: Collection[HeartbeatStatus],
    wake_at: datetime,
    at: datetime,
    **values: Any,
) -> HeartbeatWakeUp | None:
    """Set the next wake-up; None when the guard did not hold."""
    key = HeartbeatKey(heartbeat.id, heartbeat.wake_number + 1)
    wake = {"wake_number": key.wake, "wake_at": wake_at, "wake_set_at": at}
    wanted = {**wake, "dispatched_at": None, "recovery_count": 0}
    return HeartbeatWakeUp(key, wake_at) if _changed(session, heartbeat, before, **wanted, **values) else None


def _changed(
    session: Session, heartbeat: Heartbeat, before: Collection[HeartbeatStatus], **values: Any
) -> bool:
    """Whether the row was in one of these states, and as it was read."""
    changed = session.execute(
        update(Heartbeat)
        .where(
            Heartbeat.id == heartbeat.id,
            Heartbeat.status.in_(before),
            Heartbeat.wake_number == heartbeat.wake_number,
        )
        .values(values)
        .returning(Heartbeat.id),
        execution_options={"synchronize_session": "evaluate"},
    ).one_or_none()
    return changed is not None
