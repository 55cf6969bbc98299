"""What recovery looks for: rows whose wake-up was lost, with the reason, and what wakes them again.

Nothing is asked here: a search is a query, which `recover.py` reads in pages.

A backlog is not a loss (`backlog.py`): where many messages wait, a row is left alone for 15 s after its
first re-dispatch, then for 30, 60, ... so that a fleet that is merely slow is not flooded with duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from alertops.escalation.states import AttemptStatus, StepStatus, TimerStatus
from alertops.models import Attempt, EventDelivery, Execution, Heartbeat, Letter, Step, Timer
from alertops.models.heartbeat import HeartbeatStatus
from alertops.services.deliveries.standing import is_behind
from alertops.services.dispatch import (
    EVENT_QUEUE,
    FIRE_QUEUE,
    LETTER_QUEUE,
    SEND_QUEUES,
    AttemptWakeUp,
    DeliveryWakeUp,
    HeartbeatWakeUp,
    LetterWakeUp,
    StepWakeUp,
    TimerWakeUp,
    WakeUp,
)
from alertops.services.keys import AttemptKey, HeartbeatKey, StepKey, TimerKey

FIRST_PAUSE_SECONDS = 15
MAX_DOUBLINGS = 6
# Not `clock_timestamp()`, which changes while it is compared: no index can be asked for it, and each run
# would look at all that waits.
_NOW = func.statement_timestamp()


class Loss(StrEnum):
    """Why a row is dispatched again."""

    BROKER_EMPTIED = "broker_emptied"
    NEVER_DISPATCHED = "never_dispatched"
    OVERDUE = "overdue"
    LEASE_EXPIRED = "lease_expired"


_OfExecution = type[Step] | type[Attempt] | type[Timer] | type[EventDelivery]
_Waiting = _OfExecution | type[Letter] | type[Heartbeat]


@dataclass(frozen=True)
class Search:
    """Lost rows of one kind: the query, the columns that order and page it, and the wake-up of a row."""

    reason: Loss
    query: Select[*tuple[Any, ...]]
    key: tuple[InstrumentedAttribute[Any], ...]
    wake_up: Callable[[Any], WakeUp]


def all_that_waits(since: datetime) -> list[Search]:
    """All that waits and was not dispatched since then. Attempts first: their steps came due before."""
    scheduled, planned, timed, watched, written, told = (
        or_(table.dispatched_at.is_(None), table.dispatched_at < since)
        for table in (Attempt, Step, Timer, Heartbeat, Letter, EventDelivery)
    )
    return [
        _attempts(Loss.BROKER_EMPTIED, scheduled),
        _steps(Loss.BROKER_EMPTIED, planned),
        _timers(Loss.BROKER_EMPTIED, timed),
        _heartbeats(Loss.BROKER_EMPTIED, watched),
        _letters(Loss.BROKER_EMPTIED, written),
        _deliveries(Loss.BROKER_EMPTIED, told),
    ]


def lost_one_by_one(grace: float, short: Collection[str]) -> list[Search]:
    """What was lost one by one, each row for one reason only; `short` are the queues with no backlog."""
    no_steps_wait = literal(FIRE_QUEUE).in_(short)
    no_attempts_wait = literal(SEND_QUEUES).concat(Attempt.channel).in_(short)
    no_letters_wait = literal(LETTER_QUEUE).in_(short)
    no_events_wait = literal(EVENT_QUEUE).in_(short)
    late_step = _overdue(Step, Step.due_at, grace, no_steps_wait)
    late_attempt = _overdue(Attempt, Attempt.due_at, grace, no_attempts_wait)
    late_lease = _overdue(Attempt, Attempt.lease_until, grace, no_attempts_wait)
    return [
        _steps(Loss.NEVER_DISPATCHED, _never_dispatched(Step, grace)),
        _attempts(Loss.NEVER_DISPATCHED, _never_dispatched(Attempt, grace)),
        _steps(Loss.OVERDUE, Step.dispatched_at.is_not(None) & late_step),
        _attempts(Loss.OVERDUE, Attempt.dispatched_at.is_not(None) & late_attempt),
        _leases(Loss.LEASE_EXPIRED, late_lease),
        _timers(Loss.NEVER_DISPATCHED, _never_dispatched(Timer, grace)),
        _timers(
            Loss.OVERDUE,
            Timer.dispatched_at.is_not(None) & _overdue(Timer, Timer.due_at, grace, no_steps_wait),
        ),
        _heartbeats(Loss.NEVER_DISPATCHED, _wake_never_dispatched(grace)),
        _heartbeats(
            Loss.OVERDUE,
            Heartbeat.dispatched_at.is_not(None)
            & _overdue(Heartbeat, Heartbeat.wake_at, grace, no_steps_wait),
        ),
        # Alerts come first; nobody is woken at night by a letter.
        _letters(Loss.NEVER_DISPATCHED, _never_dispatched(Letter, grace)),
        _letters(
            Loss.OVERDUE,
            Letter.dispatched_at.is_not(None) & _overdue(Letter, Letter.due_at, grace, no_letters_wait),
        ),
        _letter_leases(_overdue(Letter, Letter.lease_until, grace, no_letters_wait)),
        _deliveries(Loss.NEVER_DISPATCHED, _never_dispatched(EventDelivery, grace)),
        _deliveries(
            Loss.OVERDUE,
            EventDelivery.dispatched_at.is_not(None)
            & _overdue(EventDelivery, EventDelivery.due_at, grace, no_events_wait),
        ),
        _delivery_leases(_overdue(EventDelivery, EventDelivery.lease_until, grace, no_events_wait)),
    ]


def _with_team(query: Select[*tuple[Any, ...]], table: _OfExecution) -> Select[*tuple[Any, ...]]:
    return query.add_columns(Execution.team_id).join(Execution, Execution.id == table.execution_id)


def _steps(reason: Loss, lost: ColumnElement[bool]) -> Search:
    key = (Step.due_at, Step.execution_id, Step.number)
    query = _with_team(select(*key), Step).where(Step.status == StepStatus.WAITING, lost)
    return Search(
        reason, query, key, lambda row: StepWakeUp(StepKey(row.execution_id, row.number), row.due_at)
    )


def _timers(reason: Loss, lost: ColumnElement[bool]) -> Search:
    key = (Timer.due_at, Timer.execution_id, Timer.number)
    query = _with_team(select(*key), Timer).where(Timer.status == TimerStatus.WAITING, lost)
    return Search(
        reason, query, key, lambda row: TimerWakeUp(TimerKey(row.execution_id, row.number), row.due_at)
    )


def _heartbeats(reason: Loss, lost: ColumnElement[bool]) -> Search:
    key = (Heartbeat.wake_at, Heartbeat.id)
    query = select(*key, Heartbeat.wake_number, Heartbeat.team_id)
    query = query.where(Heartbeat.status == HeartbeatStatus.UP, lost)
    return Search(
        reason, query, key, lambda row: HeartbeatWakeUp(HeartbeatKey(row.id, row.wake_number), row.wake_at)
    )


def _attempts(reason: Loss, lost: ColumnElement[bool]) -> Search:
    return _attempts_in(AttemptStatus.SCHEDULED, Attempt.due_at, reason, lost)


def _leases(reason: Loss, lost: ColumnElement[bool]) -> Search:
    return _attempts_in(AttemptStatus.SENDING, Attempt.lease_until, reason, lost)


def _letters(reason: Loss, lost: ColumnElement[bool]) -> Search:
    return _letters_in(AttemptStatus.SCHEDULED, Letter.due_at, reason, lost)


def _letter_leases(lost: ColumnElement[bool]) -> Search:
    return _letters_in(AttemptStatus.SENDING, Letter.lease_until, Loss.LEASE_EXPIRED, lost)


def _letters_in(
    status: AttemptStatus, due: InstrumentedAttribute[Any], reason: Loss, lost: ColumnElement[bool]
) -> Search:
    key = (due, Letter.id)
    query = select(*key).where(Letter.status == status, lost)
    return Search(reason, query, key, lambda row: LetterWakeUp(row[1], row[0]))


def _deliveries(reason: Loss, lost: ColumnElement[bool]) -> Search:
    return _deliveries_in(AttemptStatus.SCHEDULED, EventDelivery.due_at, reason, lost)


def _delivery_leases(lost: ColumnElement[bool]) -> Search:
    return _deliveries_in(AttemptStatus.SENDING, EventDelivery.lease_until, Loss.LEASE_EXPIRED, lost)


def _deliveries_in(
    status: AttemptStatus, due: InstrumentedAttribute[Any], reason: Loss, lost: ColumnElement[bool]
) -> Search:
    """Those that stand behind another are not lost: whoever ends that one wakes them."""
    key = (due, EventDelivery.id)
    query = _with_team(select(*key), EventDelivery).where(EventDelivery.status == status, lost, ~is_behind())
    return Search(reason, query, key, lambda row: DeliveryWakeUp(row[1], row[0]))


def _attempts_in(
    status: AttemptStatus, due: InstrumentedAttribute[Any], reason: Loss, lost: ColumnElement[bool]
) -> Search:
    key = (due, Attempt.execution_id, Attempt.step_number, Attempt.target_number, Attempt.number)
    query = _with_team(select(*key, Attempt.channel), Attempt).where(Attempt.status == status, lost)

    def wake_up(row: Any) -> WakeUp:
        due_at, execution_id, step, target, number, channel, _ = row
        return AttemptWakeUp(AttemptKey(execution_id, step, target, number), channel, due_at)

    return Search(reason, query, key, wake_up)


def _never_dispatched(table: _Waiting, grace: float) -> ColumnElement[bool]:
    """Committed, and then whoever should have published its wake-up did not.

    A row that came due just now may have been brought forward just now, and be about to be dispatched.
    """
    now = _NOW
    patience = timedelta(seconds=grace)
    settled = or_(table.due_at > now, table.due_at < now - patience)
    return table.dispatched_at.is_(None) & (table.created_at < now - patience) & settled


def _wake_never_dispatched(grace: float) -> ColumnElement[bool]:
    """The same of a heartbeat, whose row is older than what it waits for."""
    return Heartbeat.dispatched_at.is_(None) & (Heartbeat.wake_set_at < _NOW - timedelta(seconds=grace))


def _overdue(
    table: _Waiting,
    due: InstrumentedAttribute[Any],
    grace: float,
    no_backlog: ColumnElement[bool],
) -> ColumnElement[bool]:
    """Due for longer than the grace, and not dispatched again lately: in a backlog, for longer each time."""
    now = _NOW
    patience = timedelta(seconds=grace)
    dispatched_at = func.coalesce(table.dispatched_at, table.created_at)
    doublings = func.least(table.recovery_count, MAX_DOUBLINGS) - 1
    pause = func.make_interval(0, 0, 0, 0, 0, 0, FIRST_PAUSE_SECONDS * func.power(2, doublings))
    rested = or_(table.recovery_count == 0, no_backlog, dispatched_at + pause < now)
    return (due < now - patience) & (dispatched_at < now - patience) & rested
