"""Is this the broker that has our messages, or an empty one?

The database names an epoch, and the broker keeps a durable, empty queue of that name: the marker. A
broker that lost its messages lost the marker with them. Then a new epoch begins::

    marker there ─────────────────────────────────────────────▶ nothing to do
    marker missing ─▶ new epoch in the database ─▶ its marker in the broker ─▶ all that waits is
        dispatched ─▶ marker still there? ─▶ filled

An epoch that was not filled, because the runner crashed or the broker went away, is filled further by
the next runner: what was marked as dispatched since the epoch began is in the broker that has the
marker. A broker that was emptied meanwhile has no marker, and a new epoch begins.

Names are never used twice. So a broker to which one goes back, after another one took its place, does
not pass for one that has everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.faults import Point, reach
from alertops.models import BrokerEpoch

log = structlog.get_logger(__name__)


class BrokerMarker(Protocol):
    """What recovery needs of a broker to tell whether it was emptied.

    Both raise `BrokerUnavailableError` when the broker does not answer, after a bounded time.
    """

    def exists(self, name: str) -> bool:
        """Whether the broker has this marker. It must be lost when messages are lost, and not before."""
        ...

    def declare(self, name: str) -> None:
        """Make this marker. It outlives a restart of the broker."""
        ...


@dataclass(frozen=True)
class Epoch:
    id: UUID
    began_at: datetime
    filled: bool

    @property
    def marker(self) -> str:
        return f"alertops.epoch.{self.id}"


def enter_epoch(session: Session, marker: BrokerMarker) -> Epoch:
    """The epoch that the broker is in; a new one when the marker of the last is missing."""
    last = _current(session)
    if marker.exists(last.marker):
        return last
    epoch = _begin_next(session, last)
    if epoch is None:
        # Another runner was faster, and the marker is its to declare.
        return _current(session)
    log.info("epoch_began", epoch=str(epoch.id), next="all that waits is dispatched to this broker")
    reach(Point.AFTER_EPOCH, session)
    marker.declare(epoch.marker)
    return epoch


def finish_filling(session: Session, marker: BrokerMarker, epoch: Epoch) -> None:
    """Note that all that waits was dispatched; unless the broker lost it again meanwhile."""
    if not marker.exists(epoch.marker):
        return
    reach(Point.BEFORE_FILLED, session)
    session.execute(
        update(BrokerEpoch)
        .where(BrokerEpoch.epoch == epoch.id)
        .values(filled_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
    session.commit()
    log.info("epoch_filled", epoch=str(epoch.id))


def _current(session: Session) -> Epoch:
    """The first runner on a new database begins the first epoch."""
    session.execute(insert(BrokerEpoch).values(id=1).on_conflict_do_nothing())
    row = session.execute(select(BrokerEpoch.epoch, BrokerEpoch.began_at, BrokerEpoch.filled_at)).one()
    session.commit()
    return Epoch(row.epoch, row.began_at, row.filled_at is not None)


def _begin_next(session: Session, last: Epoch) -> Epoch | None:
    """Begin a new epoch, unless somebody has.

    It begins after the marker was found missing: what is dispatched from then on is in this broker.
    """
    row = session.execute(
        update(BrokerEpoch)
        .where(BrokerEpoch.epoch == last.id)
        .values(
            epoch=func.gen_random_uuid(),
            began_at=func.clock_timestamp(),
            filled_at=None,
            epochs_begun=BrokerEpoch.epochs_begun + 1,
        )
        .returning(BrokerEpoch.epoch, BrokerEpoch.began_at)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    session.commit()
    return row and Epoch(row.epoch, row.began_at, filled=False)
