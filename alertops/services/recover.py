"""Recovery: what should have been woken and was not is dispatched again. It never executes anything.

It runs when a worker is ready, at every reconnection to the broker, and on a slow tick. One runner at
a time: a transaction-level advisory lock, held by a transaction of its own, so that a connection pool
in between does not matter. Rows are taken in pages, so that memory does not grow with the backlog.

A broker that was emptied (`broker_epoch.py`) is filled first: all that waits is dispatched to it, also
what is not due yet, so that it is on time. Then what was lost one by one; `lost_rows.py` says what that is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, func, select, text, true, tuple_
from sqlalchemy.orm import Session, sessionmaker

from alertops.config import Timing
from alertops.db import database_now
from alertops.errors import BrokerUnavailableError
from alertops.faults import Point, reach
from alertops.services.add_up_figures import add_up_figures
from alertops.services.backlog import ReadyMessages, short_queues
from alertops.services.broker_epoch import BrokerMarker, enter_epoch, finish_filling
from alertops.services.dispatch import Dispatcher, WakeUp
from alertops.services.lanes import crowding
from alertops.services.lost_rows import Search, all_that_waits, lost_one_by_one
from alertops.services.recovery_record import count_recovered, record_run

log = structlog.get_logger(__name__)

PAGE = 500
# A long run says how far it is every 10,000 rows.
PAGES_PER_REPORT = 20
# An arbitrary number that no other advisory lock in this database uses.
RUNNER_LOCK = 0x616C657274
# A runner that is frozen loses the lock after this. With the tick, repair is still within 20 s; a page
# that is merely slow takes less.
FROZEN_SECONDS = 8


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
        for search in lost_one_by_one(timing.recovery_grace, short_queues(queues)):
            run.dispatch(search)
        recovered = Recovered(**run.counts)
        record_run(session, time.monotonic() - started, asdict(recovered), whole=run.complete)
        reach(Point.BEFORE_UNLOCK, guard)
        guard.rollback()
        # It takes locks of its own: whoever has something to repair meanwhile is not kept from it.
        add_up_figures(session)
    if run.counts:
        log.warning("recovered", seconds=round(time.monotonic() - started, 3), **asdict(recovered))
    return recovered


def _fill_emptied_broker(run: _Run, marker: BrokerMarker) -> None:
    """Dispatch all that waits to a broker that does not have our messages."""
    try:
        epoch = enter_epoch(run.session, marker)
        if epoch.filled:
            return
        for search in all_that_waits(epoch.began_at):
            run.dispatch(search)
        if run.complete:
            finish_filling(run.session, marker, epoch)
    except BrokerUnavailableError as error:
        run.complete = False
        log.warning("epoch_unknown", error=str(error), next="the next run asks again")


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

    def dispatch(self, search: Search) -> None:
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


def _pages(session: Session, search: Search) -> Iterator[list[_Found]]:
    """Pages in the order of their keys; a row that stays lost is not met twice in one run."""
    after: ColumnElement[bool] = true()
    while rows := session.execute(search.query.where(after).order_by(*search.key).limit(PAGE)).all():
        yield [_Found(search.wake_up(row), getattr(row, "team_id", None)) for row in rows]
        last = rows[-1]
        after = tuple_(*search.key) > tuple_(*(last[i] for i in range(len(search.key))))
