"""Keys under which clients send what must be done once, and what they were answered."""

from __future__ import annotations

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import CreatedAt


class RequestKey(Base):
    """One request, written in the transaction of what it did (`services/access/once.py`).

    The id is a hash of who asked and of their key, the fingerprint one of what they asked for, and the answer
    is sealed (`alertops.secret_box`): the row tells nothing to anybody who does not have the key. After a day
    it is deleted by those who come later.
    """

    __tablename__ = "request_keys"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    sealed: Mapped[str | None]
    created_at: Mapped[CreatedAt] = mapped_column(index=True)

    __table_args__ = (
        CheckConstraint("octet_length(id) = 32", name="id"),
        CheckConstraint("octet_length(fingerprint) = 32", name="fingerprint"),
    )
