"""Recovery: what should have been woken and was not is dispatched again. It never executes anything.

It runs when a worker is ready, at every reconnection to the broker, and on a slow tick. One runner at
a time: a transaction-level advisory lock, held by a transaction of its own, so that a connection pool
in between does not matter. Rows are taken in pages, so that memory does not grow with the backlog.

A backlog is not a loss: after the first re-dispatch a row is left alone for 15 s, then 30, 60, ... so
that a fleet that is merely slow is not flooded with duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Select, func, or_, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from alertops.config import Timing
from alertops.escalation.states import AttemptStatus, StepStatus
from alertops.models import Attempt, Step
from alertops.services.dispatch import AttemptWakeUp, Dispatcher, StepWakeUp, WakeUp
from alertops.services.keys import AttemptKey, StepKey

log = structlog.get_logger(__name__)

PAGE = 500
FIRST_PAUSE_SECONDS = 15
MAX_DOUBLINGS = 6
# An arbitrary number that no other advisory lock in this database uses.
RUNNER_LOCK = 0x616C657274


@dataclass(frozen=True)
class Recovered:
    """How many rows were dispatched again, by kind."""

    steps: int
    attempts: int
    leases: int


def recover(sessions: sessionmaker[Session], dispatcher: Dispatcher, timing: Timing) -> Recovered | None:
    """Dispatch again what was lost; None when another worker is at it already."""
    with sessions() as guard, sessions() as session:
        if not guard.scalar(select(func.pg_try_advisory_xact_lock(RUNNER_LOCK))):
            return None
        counts = [
            _dispatch_pages(session, dispatcher, find(timing.recovery_grace))
            for find in (_lost_steps, _lost_attempts, _expired_leases)
        ]
        guard.rollback()
    recovered = Recovered(*counts)
    if any(counts):
        log.warning("recovered", steps=recovered.steps, attempts=recovered.attempts, leases=recovered.leases)
    return recovered


@dataclass(frozen=True)
class _Search:
    """Lost rows of one kind: the query, the columns that order and page it, and the wake-up of a row."""

    query: Select[*tuple[Any, ...]]
    key: tuple[InstrumentedAttribute[Any], ...]
    wake_up: Callable[[Any], WakeUp]


def _dispatch_pages(session: Session, dispatcher: Dispatcher, search: _Search) -> int:
    total = 0
    for page in _pages(session, search):
        confirmed = dispatcher.dispatch(session, page, recovering=True)
        total += confirmed
        if confirmed < len(page):
            # The broker does not take them: the next trigger goes on from here.
            break
    return total


def _pages(session: Session, search: _Search) -> Iterator[list[WakeUp]]:
    """Pages in the order of their keys; a row that stays lost is not met twice in one run."""
    after: ColumnElement[bool] = true()
    while rows := session.execute(search.query.where(after).order_by(*search.key).limit(PAGE)).all():
        session.commit()
        yield [search.wake_up(row) for row in rows]
        last = rows[-1]
        after = tuple_(*search.key) > tuple_(*(last[i] for i in range(len(search.key))))
    session.commit()


def _lost_steps(grace: float) -> _Search:
    key = (Step.due_at, Step.execution_id, Step.number)
    lost = or_(_never_dispatched(Step, grace), _overdue(Step, Step.due_at, grace))
    query = select(*key).where(Step.status == StepStatus.WAITING, lost)
    return _Search(query, key, lambda row: StepWakeUp(StepKey(row.execution_id, row.number), row.due_at))


def _lost_attempts(grace: float) -> _Search:
    lost = or_(_never_dispatched(Attempt, grace), _overdue(Attempt, Attempt.due_at, grace))
    return _attempts(AttemptStatus.SCHEDULED, Attempt.due_at, lost)


def _expired_leases(grace: float) -> _Search:
    return _attempts(
        AttemptStatus.SENDING, Attempt.lease_until, _overdue(Attempt, Attempt.lease_until, grace)
    )


def _attempts(status: AttemptStatus, due: InstrumentedAttribute[Any], lost: ColumnElement[bool]) -> _Search:
    key = (due, Attempt.execution_id, Attempt.step_number, Attempt.target_number, Attempt.number)
    query = select(*key, Attempt.channel).where(Attempt.status == status, lost)

    def wake_up(row: Any) -> WakeUp:
        due_at, execution_id, step, target, number, channel = row
        return AttemptWakeUp(AttemptKey(execution_id, step, target, number), channel, due_at)

    return _Search(query, key, wake_up)


def _never_dispatched(table: type[Step] | type[Attempt], grace: float) -> ColumnElement[bool]:
    """Committed, and then whoever should have published its wake-up did not.

    A row that came due just now may have been brought forward just now, and be about to be dispatched.
    """
    now = func.clock_timestamp()
    patience = timedelta(seconds=grace)
    settled = or_(table.due_at > now, table.due_at < now - patience)
    return table.dispatched_at.is_(None) & (table.created_at < now - patience) & settled


def _overdue(
    table: type[Step] | type[Attempt], due: InstrumentedAttribute[Any], grace: float
) -> ColumnElement[bool]:
    """Due for longer than the grace, and not dispatched again lately."""
    now = func.clock_timestamp()
    patience = timedelta(seconds=grace)
    dispatched_at = func.coalesce(table.dispatched_at, table.created_at)
    doublings = func.least(table.recovery_count, MAX_DOUBLINGS) - 1
    pause = func.make_interval(0, 0, 0, 0, 0, 0, FIRST_PAUSE_SECONDS * func.power(2, doublings))
    rested = or_(table.recovery_count == 0, dispatched_at + pause < now)
    return (due < now - patience) & (dispatched_at < now - patience) & rested
