"""After a backup was restored: what came due since it was made may have been done, and nobody remembers.

::

    for each execution of which something is due, in the order in which it came due:
        a timer or a step ─▶ fires, as a worker would fire it; what follows from it may be due, too
        an attempt        ─▶ as if its sender had been lost just after it marked that it transmits

A heartbeat that is watched is due a whole period from now: its pings since then are not remembered either.

So from there on all goes the way that it goes when a sender dies at the worst moment: the attempt is sent
again under the same key, and says that it may be a repeat, or it is held as unknown; the node says which.

No worker may run meanwhile: it would send what it takes for never sent. It is safe to stop and to repeat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, func, or_, select, text, union, update
from sqlalchemy.orm import Session

from alertops.errors import ConflictError
from alertops.escalation.decision import Reason
from alertops.escalation.states import UNFINISHED, AttemptStatus, StepStatus, TimerStatus
from alertops.models import Attempt, BrokerEpoch, Heartbeat, Letter, Step, Timer
from alertops.models.heartbeat import HeartbeatStatus
from alertops.services.dispatch import Dispatcher, Message
from alertops.services.fire_step import fire_step
from alertops.services.fire_timer import fire_timer
from alertops.services.keys import AttemptKey, StepKey, TimerKey
from alertops.services.lock import lock_execution
from alertops.services.timeline import tell

_now = func.clock_timestamp
_QUICK = {"synchronize_session": False}
_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'alertops' AND pid <> pg_backend_pid()"
)


@dataclass
class Doubted:
    """How much was caught up with, and of how many sends nobody knows whether they were made."""

    executions: int = 0
    fired: int = 0
    sends: int = 0
    letters: int = 0
    heartbeats: int = 0


@dataclass
class Unheard:
    """A publisher for a time without workers: it takes nothing, so that recovery dispatches it later."""

    refused: int = field(default=0)

    def publish(self, messages: Sequence[Message]) -> list[bool]:
        self.refused += len(messages)
        return [False] * len(messages)


def doubt_what_came_due(session: Session, *, confirmed_only: bool) -> Iterator[Doubted]:
    """Catch up with all that came due, and tell after each execution how far it is; commits as it goes.

    `ConflictError` when somebody else of ours is connected to the database.
    """
    _require_nobody_else(session)
    done, dispatcher = Doubted(), Dispatcher(Unheard())
    for execution_id in _with_something_due(session):
        done.fired += _catch_up(session, dispatcher, execution_id, confirmed_only=confirmed_only)
        done.sends += _doubt_attempts(session, execution_id)
        done.executions += 1
        yield done
    done.letters = _doubt_letters(session)
    done.heartbeats = _expect_pings_from_now(session)
    _begin_epoch(session)
    yield done


def _require_nobody_else(session: Session) -> None:
    others = session.scalar(_OTHERS)
    session.rollback()
    if others:
        raise ConflictError(f"{others} connections of API processes or workers are open; stop them all first")


def _with_something_due(session: Session) -> list[UUID]:
    due = union(
        select(Step.execution_id).where(Step.status == StepStatus.WAITING, Step.due_at <= _now()),
        select(Timer.execution_id).where(Timer.status == TimerStatus.WAITING, Timer.due_at <= _now()),
        select(Attempt.execution_id).where(_in_doubt()),
    )
    found = list(session.scalars(due))
    session.rollback()
    return found


def _in_doubt() -> Any:
    """Scheduled and due, or claimed by somebody who may have gone on to transmit since."""
    due = (Attempt.status == AttemptStatus.SCHEDULED) & (Attempt.due_at <= _now())
    claimed = (Attempt.status == AttemptStatus.SENDING) & Attempt.transmit_at.is_(None)
    return or_(due, claimed)


def _catch_up(session: Session, dispatcher: Dispatcher, execution_id: UUID, *, confirmed_only: bool) -> int:
    """Fire what is due of the execution, the oldest first; how much that was."""
    fired = 0
    while (key := _oldest_due(session, execution_id)) is not None:
        if isinstance(key, TimerKey):
            reason = fire_timer(session, dispatcher, key)
        else:
            reason = fire_step(session, dispatcher, key, confirmed_only=confirmed_only)
        session.expunge_all()
        if reason in (Reason.STALE, Reason.EARLY):
            break
        fired += 1
    return fired


def _oldest_due(session: Session, execution_id: UUID) -> StepKey | TimerKey | None:
    step = session.execute(
        select(Step.due_at, Step.number).where(
            Step.execution_id == execution_id, Step.status == StepStatus.WAITING, Step.due_at <= _now()
        )
    ).one_or_none()
    timer = session.execute(
        select(Timer.due_at, Timer.number)
        .where(
            Timer.execution_id == execution_id, Timer.status == TimerStatus.WAITING, Timer.due_at <= _now()
        )
        .order_by(Timer.due_at)
        .limit(1)
    ).one_or_none()
    session.rollback()
    if timer is not None and (step is None or timer.due_at <= step.due_at):
        return TimerKey(execution_id, timer.number)
    return StepKey(execution_id, step.number) if step is not None else None


def _doubt_attempts(session: Session, execution_id: UUID) -> int:
    """scheduled and due, or sending -> sending and about to be transmitted, by somebody who is gone."""
    lock_execution(session, execution_id)
    doubted = session.scalars(
        update(Attempt)
        .where(Attempt.execution_id == execution_id, _in_doubt())
        .values(
            status=AttemptStatus.SENDING,
            claim_number=Attempt.claim_number + 1,
            lease_until=_now(),
            transmit_at=_now(),
        )
        .returning(Attempt),
        execution_options=_QUICK,
    ).all()
    for attempt in doubted:
        tell(session, AttemptKey.of(attempt), "attempt_doubted", reason="restored")
    session.commit()
    session.expunge_all()
    return len(doubted)


def _doubt_letters(session: Session) -> int:
    """Whichever is sent from now on says that it may be a repeat."""
    result: CursorResult[Any] = session.execute(  # type: ignore[assignment]  # an UPDATE gives a cursor's result
        update(Letter)
        .where(Letter.status.in_(UNFINISHED), Letter.due_at <= _now(), ~Letter.may_repeat)
        .values(may_repeat=True),
        execution_options=_QUICK,
    )
    session.commit()
    return result.rowcount


def _expect_pings_from_now(session: Session) -> int:
    """Nobody is called silent for pings that the backup does not have. Recovery sends the wake-ups."""
    due_at = _now() + func.make_interval(0, 0, 0, 0, 0, 0, Heartbeat.every_seconds + Heartbeat.grace_seconds)
    wake = {"wake_number": Heartbeat.wake_number + 1, "wake_at": due_at, "wake_set_at": _now()}
    result: CursorResult[Any] = session.execute(  # type: ignore[assignment]  # an UPDATE gives a cursor's result
        update(Heartbeat)
        .where(Heartbeat.status == HeartbeatStatus.UP)
        .values(due_at=due_at, dispatched_at=None, recovery_count=0, **wake),
        execution_options=_QUICK,
    )
    session.commit()
    return result.rowcount


def _begin_epoch(session: Session) -> None:
    """Whatever the broker has, it is not what this database waits for: recovery dispatches all of it."""
    session.execute(
        update(BrokerEpoch).values(
            epoch=func.gen_random_uuid(),
            began_at=_now(),
            filled_at=None,
            epochs_begun=BrokerEpoch.epochs_begun + 1,
        ),
        execution_options=_QUICK,
    )
    session.commit()
