"""What recovery remembers from run to run, in one row."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, SmallInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base


class BrokerEpoch(Base):
    """The time since the broker was last found empty, and how the last whole recovery run went.

    `filled_at` is set when all that waited at the epoch's beginning is in the broker again. `runs` and
    `epochs_begun` only grow: they count all runs, whole or not, and all epochs, the first one too.
    """

    __tablename__ = "broker_epoch"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, server_default="1", autoincrement=False)
    # Random, so that no other database, nor an older copy of this one, ever names the same epoch.
    epoch: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())
    began_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    filled_at: Mapped[datetime | None]
    last_run_at: Mapped[datetime | None]
    last_run_seconds: Mapped[float | None]
    last_run_counts: Mapped[dict[str, Any] | None]
    runs: Mapped[int] = mapped_column(BigInteger, server_default="0")
    epochs_begun: Mapped[int] = mapped_column(BigInteger, server_default="0")

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
