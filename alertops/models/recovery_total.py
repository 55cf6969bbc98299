"""What recovery has dispatched again since the first day, by the reason."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base


class RecoveryTotal(Base):
    """How many rows were dispatched again for one reason. No row: none was."""

    __tablename__ = "recovery_totals"

    reason: Mapped[str] = mapped_column(primary_key=True)
    rows: Mapped[int] = mapped_column(BigInteger)
