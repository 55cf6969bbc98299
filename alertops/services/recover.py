"""Recovery: what should have been woken and was not is dispatched again. It never executes anything.

It runs when a worker is ready, at every reconnection to the broker, and on a slow tick. One runner at
a time: a transaction-level advisory lock, held by a transaction of its own, so that a connection pool
in between does not matter. Rows are taken in pages, so that memory does not grow with the backlog.

A broker that was emptied (`broker_epoch.py`) is filled first: all that waits is dispatched to it, also
what is not due yet, so that it is on time. Then what was lost one by one.

A backlog is not a loss (`backlog.py`): where many messages wait, a row is left alone for 15 s after its
first re-dispatch, then for 30, 60, ... so that a fleet that is merely slow is not flooded with duplicates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Select, func, literal, or_, select, text, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from alertops.config import Timing
from alertops.db import database_now
from alertops.errors import BrokerUnavailableError
from alertops.escalation.states import AttemptStatus, StepStatus, TimerStatus
from alertops.faults import Point, reach
from alertops.models import Attempt, Execution, Heartbeat, Letter, Step, Timer
from alertops.models.heartbeat import HeartbeatStatus
from alertops.services.add_up_figures import add_up_figures
from alertops.services.backlog import ReadyMessages, short_queues
from alertops.services.broker_epoch import BrokerMarker, enter_epoch, finish_filling
from alertops.services.dispatch import (
    FIRE_QUEUE,
    LETTER_QUEUE,
    SEND_QUEUES,
    AttemptWakeUp,
    Dispatcher,
    HeartbeatWakeUp,
    LetterWakeUp,
    StepWakeUp,
    TimerWakeUp,
    WakeUp,
)
from alertops.services.keys import AttemptKey, HeartbeatKey, StepKey, TimerKey
from alertops.services.lanes import crowding
from alertops.services.recovery_record import count_recovered, record_run

log = structlog.get_logger(__name__)

PAGE = 500
# A long run says how far it is every 10,000 rows.
PAGES_PER_REPORT = 20
FIRST_PAUSE_SECONDS = 15
MAX_DOUBLINGS = 6
# An arbitrary number that no other advisory lock in this database uses.
RUNNER_LOCK = 0x616C657274
# A runner that is frozen loses the lock after this. With the tick, repair is still within 20 s; a page
# that is merely slow takes less.
FROZEN_SECONDS = 8
# Not `clock_timestamp()`, which changes while it is compared: no index can be asked for it, and each run
# would look at all that waits.
_NOW = func.statement_timestamp()


class Loss(StrEnum):
    """Why a row is dispatched again."""

    BROKER_EMPTIED = "broker_emptied"
    NEVER_DISPATCHED = "never_dispatched"
    OVERDUE = "overdue"
    LEASE_EXPIRED = "lease_expired"


@dataclass(frozen=True)
class Recovered:
    """How many rows were dispatched again, by the reason."""

    broker_emptied: int = 0
    never_dispatched: int = 0
    overdue: int = 0
    lease_expired: int = 0


def recover(
    sessions: sessionmaker[Session],
    dispatcher: Dispatcher,
    marker: BrokerMarker,
    queues: ReadyMessages,
    timing: Timing,
) -> Recovered | None:
    """Dispatch again what was lost; None when another worker is at it already."""
    started = time.monotonic()
    with sessions() as guard, sessions() as session:
        if not guard.scalar(select(func.pg_try_advisory_xact_lock(RUNNER_LOCK))):
            return None
        guard.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{FROZEN_SECONDS}s'"))
        run = _Run(guard, session, dispatcher)
        _fill_emptied_broker(run, marker)
        for search in _lost(timing.recovery_grace, short_queues(queues)):
            run.dispatch(search)
        recovered = Recovered(**run.counts)
        record_run(session, time.monotonic() - started, asdict(recovered), whole=run.complete)
        add_up_figures(session)
        reach(Point.BEFORE_UNLOCK, guard)
        guard.rollback()
    if run.counts:
        log.warning("recovered", seconds=round(time.monotonic() - started, 3), **asdict(recovered))
    return recovered


def _fill_emptied_broker(run: _Run, marker: BrokerMarker) -> None:
    """Dispatch all that waits to a broker that does not have our messages."""
    try:
        epoch = enter_epoch(run.session, marker)
        if epoch.filled:
            return
        for search in _waiting(epoch.began_at):
            run.dispatch(search)
        if run.complete:
            finish_filling(run.session, marker, epoch)
    except BrokerUnavailableError as error:
        run.complete = False
        log.warning("epoch_unknown", error=str(error), next="the next run asks again")


_Waiting = type[Step] | type[Attempt] | type[Timer] | type[Letter] | type[Heartbeat]


@dataclass(frozen=True)
class _Search:
    """Lost rows of one kind: the query, the columns that order and page it, and the wake-up of a row."""

    reason: Loss
    query: Select[*tuple[Any, ...]]
    key: tuple[InstrumentedAttribute[Any], ...]
    wake_up: Callable[[Any], WakeUp]


@dataclass(frozen=True)
class _Found:
    """A row that was lost: its wake-up, and the team; a letter is of none."""

    wake_up: WakeUp
    team_id: UUID | None


@dataclass
class _Run:
    """One run of recovery: what it has done, and whether the broker took everything.

    Pages are read in the transaction that holds the runner's lock. So it is never idle for long, which
    the database would end; and a runner whose lock is gone finds out at the next page.
    """

    guard: Session
    session: Session
    dispatcher: Dispatcher
    counts: dict[str, int] = field(default_factory=dict)
    complete: bool = True

    def dispatch(self, search: _Search) -> None:
        """Dispatch what the search finds. Of a page that cannot be routed in part, the rest goes on."""
        for number, page in enumerate(_pages(self.guard, search), start=1):
            confirmed = self._dispatch_page(page)
            if confirmed:
                self.counts[search.reason] = self.counts.get(search.reason, 0) + confirmed
                count_recovered(self.session, search.reason, confirmed)
            if confirmed < len(page):
                self.complete = False
            if not confirmed:
                # The broker does not take them: the next trigger goes on from here.
                return
            if number % PAGES_PER_REPORT == 0:
                log.info("recovering", reason=search.reason.value, so_far=self.counts[search.reason])

    def _dispatch_page(self, page: Sequence[_Found]) -> int:
        """What is not due yet is in no backlog: that it is dispatched again does not count against it.

        A team whose late rows fill the page is in the bulk lane, or belongs there (`lanes.py`).
        """
        now = database_now(self.guard)
        late = [found for found in page if found.wake_up.due_at <= now]
        crowd = crowding(found.team_id for found in late)
        few = [found.wake_up for found in late if found.team_id not in crowd]
        many = [found.wake_up for found in late if found.team_id in crowd]
        coming = [found.wake_up for found in page if found.wake_up.due_at > now]
        confirmed = self.dispatcher.dispatch(self.session, few, recovering=True)
        confirmed += self.dispatcher.in_bulk().dispatch(self.session, many, recovering=True)
        return confirmed + self.dispatcher.dispatch(self.session, coming)


def _pages(session: Session, search: _Search) -> Iterator[list[_Found]]:
    """Pages in the order of their keys; a row that stays lost is not met twice in one run."""
    after: ColumnElement[bool] = true()
    while rows := session.execute(search.query.where(after).order_by(*search.key).limit(PAGE)).all():
        yield [_Found(search.wake_up(row), getattr(row, "team_id", None)) for row in rows]
        last = rows[-1]
        after = tuple_(*search.key) > tuple_(*(last[i] for i in range(len(search.key))))


def _waiting(since: datetime) -> list[_Search]:
    """All that waits and was not dispatched since then. Attempts first: their steps came due before."""
    scheduled, waiting, timed, watched, written = (
        or_(table.dispatched_at.is_(None), table.dispatched_at < since)
        for table in (Attempt, Step, Timer, Heartbeat, Letter)
    )
    return [
        _attempts(Loss.BROKER_EMPTIED, scheduled),
        _steps(Loss.BROKER_EMPTIED, waiting),
        _timers(Loss.BROKER_EMPTIED, timed),
        _heartbeats(Loss.BROKER_EMPTIED, watched),
        _letters(Loss.BROKER_EMPTIED, written),
    ]


def _lost(grace: float, short: Collection[str]) -> list[_Search]:
    """What was lost one by one, each row for one reason only; `short` are the queues with no backlog."""
    no_steps_wait = literal(FIRE_QUEUE).in_(short)
    no_attempts_wait = literal(SEND_QUEUES).concat(Attempt.channel).in_(short)
    no_letters_wait = literal(LETTER_QUEUE).in_(short)
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
    ]


def _with_team(
    query: Select[*tuple[Any, ...]], table: type[Step] | type[Attempt] | type[Timer]
) -> Select[*tuple[Any, ...]]:
    return query.add_columns(Execution.team_id).join(Execution, Execution.id == table.execution_id)


def _steps(reason: Loss, lost: ColumnElement[bool]) -> _Search:
    key = (Step.due_at, Step.execution_id, Step.number)
    query = _with_team(select(*key), Step).where(Step.status == StepStatus.WAITING, lost)
    return _Search(
        reason, query, key, lambda row: StepWakeUp(StepKey(row.execution_id, row.number), row.due_at)
    )


def _timers(reason: Loss, lost: ColumnElement[bool]) -> _Search:
    key = (Timer.due_at, Timer.execution_id, Timer.number)
    query = _with_team(select(*key), Timer).where(Timer.status == TimerStatus.WAITING, lost)
    return _Search(
        reason, query, key, lambda row: TimerWakeUp(TimerKey(row.execution_id, row.number), row.due_at)
    )


def _heartbeats(reason: Loss, lost: ColumnElement[bool]) -> _Search:
    key = (Heartbeat.wake_at, Heartbeat.id)
    query = select(*key, Heartbeat.wake_number, Heartbeat.team_id)
    query = query.where(Heartbeat.status == HeartbeatStatus.UP, lost)
    return _Search(
        reason, query, key, lambda row: HeartbeatWakeUp(HeartbeatKey(row.id, row.wake_number), row.wake_at)
    )


def _attempts(reason: Loss, lost: ColumnElement[bool]) -> _Search:
    return _attempts_in(AttemptStatus.SCHEDULED, Attempt.due_at, reason, lost)


def _leases(reason: Loss, lost: ColumnElement[bool]) -> _Search:
    return _attempts_in(AttemptStatus.SENDING, Attempt.lease_until, reason, lost)


def _letters(reason: Loss, lost: ColumnElement[bool]) -> _Search:
    return _letters_in(AttemptStatus.SCHEDULED, Letter.due_at, reason, lost)


def _letter_leases(lost: ColumnElement[bool]) -> _Search:
    return _letters_in(AttemptStatus.SENDING, Letter.lease_until, Loss.LEASE_EXPIRED, lost)


def _letters_in(
    status: AttemptStatus, due: InstrumentedAttribute[Any], reason: Loss, lost: ColumnElement[bool]
) -> _Search:
    key = (due, Letter.id)
    query = select(*key).where(Letter.status == status, lost)
    return _Search(reason, query, key, lambda row: LetterWakeUp(row[1], row[0]))


def _attempts_in(
    status: AttemptStatus, due: InstrumentedAttribute[Any], reason: Loss, lost: ColumnElement[bool]
) -> _Search:
    key = (due, Attempt.execution_id, Attempt.step_number, Attempt.target_number, Attempt.number)
    query = _with_team(select(*key, Attempt.channel), Attempt).where(Attempt.status == status, lost)

    def wake_up(row: Any) -> WakeUp:
        due_at, execution_id, step, target, number, channel, _ = row
        return AttemptWakeUp(AttemptKey(execution_id, step, target, number), channel, due_at)

    return _Search(reason, query, key, wake_up)


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
