"""Figures of the running system, for whoever watches it: the database's, and what is asked of the broker.

What is read costs no more as the history grows: counters are rows of their own, and only open rows are
counted, by partial indexes, each up to a limit. What ended was added up before (`count_events.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Label, ScalarSelect, func, literal, select, text

from alertops.escalation.states import (
    OPEN_FOR_DEDUPLICATION,
    UNFINISHED,
    AttemptStatus,
    ExecutionStatus,
    StepStatus,
)
from alertops.models import Attempt, BrokerEpoch, EventDelivery, Execution, Letter, RecoveryTotal, Step
from alertops.services.happened import Happened, read_happened
from alertops.services.lost_rows import Loss

# A count stops here, so that a backlog does not make a scrape time out just when it is looked at.
COUNTED_AT_MOST = 100_000
# How long a letter that failed is told of, or an event that a subscriber was not told.
FAILED_SINCE = timedelta(days=1)
# Nobody waits longer for an answer; the database should not work on it for longer either.
STATEMENT_TIMEOUT = "1500ms"


@dataclass(frozen=True)
class RecoveryFigures:
    """What recovery has done since the first day, and when it last got through."""

    recovered: Mapping[Loss, int]
    runs: int
    epochs_begun: int
    last_run_at: datetime | None
    last_run_seconds: float | None


@dataclass(frozen=True)
class OpenWork:
    """What is not over. Overdue is what came due longer ago than the grace, and was not fired or claimed."""

    executions: Mapping[ExecutionStatus, int]
    attempts: Mapping[AttemptStatus, int]
    letters: Mapping[AttemptStatus, int]
    letters_failed: int
    deliveries: Mapping[AttemptStatus, int]
    deliveries_failed: int
    steps_waiting: int
    steps_overdue: int
    attempts_overdue: int
    oldest_overdue_seconds: float


@dataclass(frozen=True)
class Figures:
    recovery: RecoveryFigures
    work: OpenWork
    happened: Happened


@dataclass(frozen=True)
class QueueDepth:
    """Of a queue that workers consume: messages that wait, and workers that listen."""

    ready: int
    consumers: int


@dataclass(frozen=True)
class Queues:
    """The broker's queues. One that nobody has declared yet is missing, and no dead letters are None."""

    depths: Mapping[str, QueueDepth]
    dead_letters: int | None


class QueueReader(Protocol):
    """How the queues are asked of a broker."""

    def read(self) -> Queues:
        """Raises `BrokerUnavailableError` when the broker does not answer, after a bounded time."""
        ...


def measure(connection: Connection, grace: float) -> Figures:
    """Read all figures. It takes no locks, and opens a transaction that is the caller's to end."""
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
    work = _open_work(connection, timedelta(seconds=grace))
    return Figures(_recovery(connection), work, read_happened(connection))


def _recovery(connection: Connection) -> RecoveryFigures:
    totals = connection.execute(select(RecoveryTotal.reason, RecoveryTotal.rows)).all()
    rows = {row.reason: row.rows for row in totals}
    last = connection.execute(
        select(
            BrokerEpoch.runs, BrokerEpoch.epochs_begun, BrokerEpoch.last_run_at, BrokerEpoch.last_run_seconds
        )
    ).one_or_none()
    recovered = {reason: rows.get(reason, 0) for reason in Loss}
    return RecoveryFigures(recovered, *(last or (0, 0, None, None)))


def _open_work(connection: Connection, grace: timedelta) -> OpenWork:
    """One statement, so that all figures are of the same moment."""
    waiting = Step.status == StepStatus.WAITING
    scheduled = Attempt.status == AttemptStatus.SCHEDULED
    # Not `clock_timestamp()`, which changes while it is compared, so that no index can be asked for it.
    overdue_since = func.statement_timestamp() - grace
    late_step, late_attempt = (
        waiting & (Step.due_at < overdue_since),
        scheduled & (Attempt.due_at < overdue_since),
    )
    failed, given_up = (
        (table.status == AttemptStatus.FAILED)
        & (table.finished_at > func.statement_timestamp() - FAILED_SINCE)
        for table in (Letter, EventDelivery)
    )
    oldest = func.least(_first(Step.due_at, late_step), _first(Attempt.due_at, late_attempt))
    row = (
        connection.execute(
            select(
                *(_count(f"execution_{s}", Execution.status == s) for s in OPEN_FOR_DEDUPLICATION),
                *(_count(f"attempt_{s}", Attempt.status == s) for s in UNFINISHED),
                *(_count(f"letter_{s}", Letter.status == s) for s in UNFINISHED),
                _count("letters_failed", failed),
                *(_count(f"delivery_{s}", EventDelivery.status == s) for s in UNFINISHED),
                _count("deliveries_failed", given_up),
                _count("steps_waiting", waiting),
                _count("steps_overdue", late_step),
                _count("attempts_overdue", late_attempt),
                func.extract("epoch", func.statement_timestamp() - oldest).label("oldest_overdue"),
            )
        )
        .one()
        ._mapping
    )
    return OpenWork(
        executions={s: row[f"execution_{s}"] for s in OPEN_FOR_DEDUPLICATION},
        attempts={s: row[f"attempt_{s}"] for s in UNFINISHED},
        letters={s: row[f"letter_{s}"] for s in UNFINISHED},
        letters_failed=row["letters_failed"],
        deliveries={s: row[f"delivery_{s}"] for s in UNFINISHED},
        deliveries_failed=row["deliveries_failed"],
        steps_waiting=row["steps_waiting"],
        steps_overdue=row["steps_overdue"],
        attempts_overdue=row["attempts_overdue"],
        oldest_overdue_seconds=float(row["oldest_overdue"] or 0),
    )


def _count(name: str, condition: ColumnElement[bool]) -> Label[int]:
    some = select(literal(1)).where(condition).limit(COUNTED_AT_MOST).subquery()
    return select(func.count()).select_from(some).scalar_subquery().label(name)


def _first(column: Any, condition: ColumnElement[bool]) -> ScalarSelect[datetime]:
    return select(func.min(column)).where(condition).scalar_subquery()
