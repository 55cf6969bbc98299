"""How much of a limit has been used: by a client address, by tries at an account."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base


class Throttle(Base):
    """One count, kept as a time: when it will be as if nothing was tried (`services/accounts/throttle.py`).

    The key is a keyed hash. What people type into the field of an address is nobody's business, and some
    of it is passwords. A row whose time has passed says nothing, and is deleted by those who come later.
    """

    __tablename__ = "throttles"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    clear_at: Mapped[datetime] = mapped_column(index=True)
