"""Limits on what anybody may try: counted in the database, so that all processes count together.

The algorithm is GCRA, a leaky bucket that is a single time: `clear_at`, when all that was counted has leaked
away. A try moves it on by one interval, unless that would put it more than `burst` intervals ahead:

    now ─────┬───── interval ─────┬───── interval ─────┬─▶
                                                   clear_at: of a burst of 3, all is used

Counting is one guarded upsert for each limit. Its row lock makes tries at the same moment take turns, so of
a thousand that arrive together exactly `burst` get through, however many processes they arrive at.

A try is counted before it is made, and given back if it turns out to be good: otherwise, all that
are under way at the same time would be free. What is refused is not counted: asking again makes no wait
longer, and nobody is locked out for longer than one interval after the tries of others end.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.db import commit_without_flush
from alertops.errors import ThrottledError
from alertops.models import Throttle

# Each try deletes more rows that say nothing than it adds.
_SWEPT = 10


@dataclass(frozen=True)
class Limit:
    """So many tries at once, and one more for each interval."""

    name: str
    burst: int
    interval: timedelta


@dataclass(frozen=True)
class Count:
    """What one limit counts for one subject; the key tells neither, without the secret."""

    limit: Limit
    key: bytes

    @classmethod
    def of(cls, secret: bytes, limit: Limit, *subject: str | None) -> Count:
        # Lengths keep ("ab", "c") and ("a", "bc") apart.
        parts = [limit.name, *(part or "" for part in subject)]
        named = "".join(f"{len(part)}:{part}" for part in parts)
        return cls(limit, hmac.digest(secret, named.encode(), "sha256"))


def take(session: Session, counts: Sequence[Count]) -> None:
    """Count a try under each and commit, or under none; `ThrottledError` says when to come back.

    Counts are locked in the order in which they are given. It must be the same for all who share them:
    that of a client's address first.
    """
    # A crash may forget some tries; waiting for the disk at each would cost more than that gives away.
    commit_without_flush(session)
    for count in counts:
        if not _counted(session, count):
            session.rollback()
            raise ThrottledError(_wait(session, count))
    _sweep(session)
    session.commit()


def may_take(session: Session, counts: Sequence[Count]) -> bool:
    """`take`, of something that can be left out; False when it must be."""
    try:
        take(session, counts)
    except ThrottledError:
        return False
    return True


def give_back(session: Session, counts: Sequence[Count]) -> None:
    """Uncount a try that was good, in the running transaction."""
    for count in counts:
        session.execute(
            update(Throttle)
            .where(Throttle.key == count.key)
            .values(clear_at=Throttle.clear_at - count.limit.interval)
        )


def _counted(session: Session, count: Count) -> bool:
    interval, ahead = count.limit.interval, count.limit.interval * (count.limit.burst - 1)
    now = func.clock_timestamp()
    return (
        session.execute(
            insert(Throttle)
            .values(key=count.key, clear_at=now + interval)
            .on_conflict_do_update(
                index_elements=[Throttle.key],
                set_={"clear_at": func.greatest(Throttle.clear_at, now) + interval},
                where=Throttle.clear_at <= now + ahead,
            )
            .returning(Throttle.key)
        ).one_or_none()
        is not None
    )


def _wait(session: Session, count: Count) -> int:
    """Whole seconds until the next try under this limit may be made."""
    ahead = count.limit.interval * (count.limit.burst - 1)
    left = session.scalar(
        select(func.extract("epoch", Throttle.clear_at - ahead - func.clock_timestamp())).where(
            Throttle.key == count.key
        )
    )
    session.rollback()
    return max(1, ceil(left or 0))


def _sweep(session: Session) -> None:
    """Delete some rows that say nothing, but for those that somebody is just counting in."""
    doomed = (
        select(Throttle.key)
        .where(Throttle.clear_at <= func.clock_timestamp())
        .order_by(Throttle.clear_at)
        .limit(_SWEPT)
        .with_for_update(skip_locked=True)
    )
    session.execute(delete(Throttle).where(Throttle.key.in_(doomed.scalar_subquery())))
