"""Delete what is over, a batch at a time, beside a fleet at work.

::

    lock a batch, leaving out what others have locked ─▶ look again ─▶ delete ─▶ commit ─▶ rest ─▶ the next

The rows are the state: there is nothing to remember, and whoever is stopped begins again where it was. An
execution is locked before anything of it is touched, as everywhere. Deleting one that was replayed changes
the replay's row, which somebody may have locked; so waiting is bounded by less than what Postgres takes for a
deadlock, and who has waited for so long gives way, and tries again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import CursorResult, delete, func, select, text, tuple_
from sqlalchemy.orm import Session

from alertops.db import commit_without_flush
from alertops.services.persistence import persistently
from alertops.services.retention.over import Sweep

BATCH = 500
# Postgres looks for deadlocks after a second, and would end either of the two.
LOCK_TIMEOUT = "500ms"
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Batch:
    """Rows that were looked at: deleted, or kept because something of them is not over."""

    deleted: int
    kept: int
    # Where the next batch begins.
    last: tuple[Any, Any]


def count(session: Session, sweep: Sweep) -> int:
    """How many rows are over. A few may be kept all the same, which is found out when they are locked."""
    found = session.scalar(select(func.count()).select_from(sweep.id.class_).where(sweep.over))
    session.rollback()
    return found or 0


def prune(
    session: Session, sweep: Sweep, *, batch: int = BATCH, rest: Callable[[float], object] = time.sleep
) -> Iterator[Batch]:
    """Delete what the sweep names, and tell of each batch once it is committed.

    It rests after each for as long as that took, so that at most half of a disk's time goes into it. What
    somebody else has locked is left to the next run. Raises the database's error when that does not pass
    within a minute.
    """
    last: tuple[Any, Any] | None = None
    while True:
        began = time.monotonic()
        work = partial(_delete_batch, session, sweep, batch, last)
        done = persistently(session, PATIENCE_SECONDS, work)
        if done is None:
            return
        yield done
        last = done.last
        rest(time.monotonic() - began)


def _delete_batch(session: Session, sweep: Sweep, size: int, last: tuple[Any, Any] | None) -> Batch | None:
    """One transaction; None when nothing was found. Not flushed: what comes back is deleted again."""
    commit_without_flush(session)
    session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    place = tuple_(sweep.over_at, sweep.id)
    query = select(sweep.over_at, sweep.id).where(sweep.over)
    if last is not None:
        query = query.where(place > last)
    rows = session.execute(
        query.order_by(sweep.over_at, sweep.id).limit(size).with_for_update(skip_locked=True)
    ).all()
    if not rows:
        session.rollback()
        return None
    doomed = delete(sweep.id.class_).where(sweep.id.in_([id_ for _, id_ in rows]), sweep.free)
    result: CursorResult[Any] = session.execute(doomed, execution_options={"synchronize_session": False})  # type: ignore[assignment]  # a DELETE gives a cursor's result
    session.commit()
    return Batch(result.rowcount, len(rows) - result.rowcount, tuple(rows[-1]))
