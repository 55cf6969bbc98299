"""Wake-ups that the broker did not take."""

from __future__ import annotations

from sqlalchemy import BigInteger, Identity
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base


class DispatchFailure(Base):
    """So many wake-ups, for one reason. Whoever fails adds a row; recovery makes one of many.

    What has failed since the first day is the sum. Nobody waits for anybody's row.
    """

    __tablename__ = "dispatch_failures"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reason: Mapped[str]
    rows: Mapped[int] = mapped_column(BigInteger)
