"""What the timelines tell is added up, for /metrics: how late steps fired, how attempts ended.

Each entry is counted once, whatever commits in which order, and whoever dies. An entry gets its id before its
transaction commits, so the newest id that is seen says nothing of those before it: some may still come. So a
run notes the newest id, and then takes a transaction number of its own. Whoever wrote one up to that id has
locked or inserted its execution before, and has a lower number. When all transactions with lower numbers are
over, every entry up to that id is there, or never will be::

    note (newest id, own number) ─▶ ... are all with lower numbers over? ─┬─ no:  leave it to the next run
         ▲                                                                └─ yes: add up (up_to, newest id]
         └───────────────────── in the same transaction: up_to = newest id ◀─────────────┘

In a quiet system the second look of the same run finds them over; in a busy one, the next run's. Nothing is
written on the way of an alert for this, and no index is there for it: entries are read by their ids.
"""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import ColumnElement, Double, ScalarSelect, Select, case, cast, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from alertops.escalation.states import UNFINISHED, AttemptStatus
from alertops.models import Attempt, EventsCounted, EventTotal, Step, TimelineEntry
from alertops.services.recovery_record import kept_if_possible

# Entries that one transaction adds up, in some tens of milliseconds, and transactions that a run makes.
PAGE = 5_000
PAGES = 40

# A second is the objective, twenty are the promise of repair.
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0, 300.0)

FIRED = "step_fired"
ENDED = {status: f"attempt_{status.value}" for status in AttemptStatus if status not in UNFINISHED}
CLAIMED_AGAIN = "attempt_claimed_again"
# Of those, the ones that may reach somebody a second time.
REPEATED = "attempt_repeated"

_KEY = ["event", "channel", "late_up_to"]

# Not a snapshot's xmax: that is one past the highest that is over, and others have higher ones already.
_OWN_AND_OLDEST = text(
    "SELECT pg_current_xact_id()::text::bigint AS own,"
    " pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest"
)


def count_events(session: Session) -> None:
    """Add up what is new, page by page; as far as it gets. What fails is left to the next run."""
    for _ in range(PAGES):
        more = False
        with kept_if_possible(session):
            more = _count_page(session)
        if not more:
            return


def _count_page(session: Session) -> bool:
    """Whether there is more. Under the lock of the row, so that nobody else counts the same."""
    # Before the lock, which gives this transaction its number: who wrote this entry has a lower one.
    newest, at = session.execute(select(func.max(TimelineEntry.id), func.statement_timestamp())).one()
    counted = _locked(session)
    seen = session.execute(_OWN_AND_OLDEST).one()
    # Where numbers went back, the database was restored into another server: all that it has is there.
    if seen.oldest < counted.next_after < seen.own:
        return False
    end = _end_of_page(session, counted)
    if end is not None:
        _add_up(session, counted.up_to, end)
        counted.up_to = end
        return True
    _add_up(session, counted.up_to, counted.next_up_to)
    counted.up_to, counted.as_of = counted.next_up_to, counted.next_as_of
    counted.next_up_to, counted.next_after = max(newest or 0, counted.up_to), seen.own
    counted.next_as_of = at
    return counted.next_up_to > counted.up_to or counted.as_of is None


def _locked(session: Session) -> EventsCounted:
    query = select(EventsCounted).with_for_update().execution_options(populate_existing=True)
    counted = session.scalars(query).one_or_none()
    if counted is not None:
        return counted
    session.execute(insert(EventsCounted).values(id=1).on_conflict_do_nothing())
    return session.scalars(query).one()


def _end_of_page(session: Session, counted: EventsCounted) -> int | None:
    """The id that a whole page ends with; None when less than a page is left."""
    to_count = TimelineEntry.id.between(counted.up_to + 1, counted.next_up_to)
    query = select(TimelineEntry.id).where(to_count).order_by(TimelineEntry.id).offset(PAGE - 1).limit(1)
    return session.scalar(query)


def _add_up(session: Session, after: int, up_to: int) -> None:
    """Add the entries of these ids to the totals, in one statement."""
    if after == up_to:
        return
    told = _told(after, up_to).cte("told").prefix_with("MATERIALIZED")
    late_up_to = case(*((told.c.late <= bound, bound) for bound in BOUNDS), else_=math.inf).label(
        "late_up_to"
    )
    sums = select(
        told.c.event,
        told.c.channel,
        late_up_to,
        func.count(),
        func.coalesce(func.sum(told.c.late), 0.0),
    ).group_by(told.c.event, told.c.channel, "late_up_to")
    row = insert(EventTotal).from_select([*_KEY, "rows", "seconds"], sums)
    added = {
        "rows": EventTotal.rows + row.excluded.rows,
        "seconds": EventTotal.seconds + row.excluded.seconds,
    }
    session.execute(row.on_conflict_do_update(index_elements=_KEY, set_=added))


def _told(after: int, up_to: int) -> Select[Any]:
    """Each entry with its channel and its lateness. What it is about is looked up by its key, row by row:
    a join would be free to read through the whole table of steps, or of attempts. What is not as expected is
    counted without a channel or lateness: nothing may stop the count for ever.
    """
    event = TimelineEntry.event
    ended = event.in_(ENDED.values())
    repeated = (event == CLAIMED_AGAIN) & TimelineEntry.detail.contains({"may_repeat": True})
    channel = case((ended, _of_attempt(Attempt.channel)))
    late = case(
        (event == FIRED, _lateness_of_step()),
        (ended, _of_attempt(_late(Attempt.finished_at, Attempt.due_at))),
    )
    return select(
        case((repeated, REPEATED), else_=event).label("event"),
        func.coalesce(channel, "").label("channel"),
        late.label("late"),
    ).where(TimelineEntry.id.between(after + 1, up_to))


def _lateness_of_step() -> ScalarSelect[Any]:
    return (
        select(_late(Step.fired_at, Step.due_at))
        .where(Step.execution_id == TimelineEntry.execution_id, Step.number == TimelineEntry.step_number)
        .scalar_subquery()
    )


def _of_attempt(column: Any) -> ScalarSelect[Any]:
    return (
        select(column)
        .where(
            Attempt.execution_id == TimelineEntry.execution_id,
            Attempt.step_number == TimelineEntry.step_number,
            Attempt.target_number == TimelineEntry.target_number,
            Attempt.number == TimelineEntry.attempt_number,
        )
        .scalar_subquery()
    )


def _late(then: InstrumentedAttribute[Any], due: InstrumentedAttribute[Any]) -> ColumnElement[float]:
    return cast(func.extract("epoch", then - due), Double)
