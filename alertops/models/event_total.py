"""What has happened since the first day: the timelines of all executions, added up."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base


class EventTotal(Base):
    """How often one event was told, by channel and by lateness; a few hundred rows, however long the history.

    `channel` is empty where an event has none. `late_up_to` is the upper bound in seconds of the lateness of
    what is counted here, infinite where there is no higher one, or no lateness; `seconds` is its sum.
    """

    __tablename__ = "event_totals"

    event: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    late_up_to: Mapped[float] = mapped_column(primary_key=True)
    rows: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float]


class EventsCounted(Base):
    """How far the timelines are added up, in one row (`services/count_events.py`).

    Entries up to the id `up_to` are, and with them all that was committed before `as_of`. Next come those up
    to `next_up_to`, read at `next_as_of`, once every transaction before the number `next_after` is over.
    """

    __tablename__ = "events_counted"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, server_default="1", autoincrement=False)
    up_to: Mapped[int] = mapped_column(BigInteger, server_default="0")
    as_of: Mapped[datetime | None]
    next_up_to: Mapped[int] = mapped_column(BigInteger, server_default="0")
    next_as_of: Mapped[datetime | None]
    next_after: Mapped[int] = mapped_column(BigInteger, server_default="0")

    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("next_up_to >= up_to", name="forward"),
    )
