"""What recovery leaves behind for whoever watches it: totals, and when it last got through.

It runs in workers and is asked about in any API process, so the figures are in the database. They are
written without waiting for the disk: a crash of Postgres may cost the last of them, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alertops.db import commit_without_flush
from alertops.models import BrokerEpoch, RecoveryTotal

log = structlog.get_logger(__name__)


def count_recovered(session: Session, reason: str, rows: int) -> None:
    """Add to what was dispatched again. Page by page, so that a run that crashes has counted its pages."""
    row = insert(RecoveryTotal).values(reason=reason, rows=rows)
    added = RecoveryTotal.rows + row.excluded.rows
    with kept_if_possible(session):
        session.execute(row.on_conflict_do_update(index_elements=["reason"], set_={"rows": added}))


def record_run(session: Session, seconds: float, counts: dict[str, int], *, whole: bool) -> None:
    """Count the run; of a whole one, keep when it ended, how long it took, and what it found."""
    last = {"last_run_at": func.clock_timestamp(), "last_run_seconds": seconds, "last_run_counts": counts}
    with kept_if_possible(session):
        session.execute(
            update(BrokerEpoch)
            .values(runs=BrokerEpoch.runs + 1, **(last if whole else {}))
            .execution_options(synchronize_session=False)
        )


def last_run_age(connection: Connection) -> float | None:
    """How many seconds ago, by the database's clock, the last whole run ended; None when none has."""
    age = func.extract("epoch", func.clock_timestamp() - BrokerEpoch.last_run_at)
    seconds = connection.execute(select(age)).scalar_one_or_none()
    return None if seconds is None else float(seconds)


@contextmanager
def kept_if_possible(session: Session) -> Iterator[None]:
    """A transaction that may fail: that something cannot be recorded is no reason to end the rest."""
    try:
        commit_without_flush(session)
        yield
        session.commit()
    except DBAPIError as error:
        session.rollback()
        log.warning("not_recorded", error=str(error), next="the rest goes on")
