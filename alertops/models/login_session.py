"""Login sessions: somebody is logged in on a device, from a login until a logout or a long silence.

A session that is over has no row. So nothing has to remember, at any place, to ask whether it still holds.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import CreatedAt, PrimaryId, length_of

MAX_USER_AGENT = 200


class LoginSession(Base):
    """One family of refresh tokens: hashes alone, from which no token can be made.

    `family_hash` is of the half that all tokens of the session share, `current_hash` of the other half of
    the one that is good now, `previous_hash` of that of the one before it, which became the current one by
    `successor_nonce`. How they are used is in `services/accounts/refresh_session.py`.
    """

    __tablename__ = "login_sessions"

    id: Mapped[PrimaryId]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    family_hash: Mapped[bytes] = mapped_column(unique=True)
    current_hash: Mapped[bytes]
    previous_hash: Mapped[bytes | None]
    successor_nonce: Mapped[bytes | None]
    created_at: Mapped[CreatedAt]
    refreshed_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    # Where it was last refreshed from, for its owner to recognise.
    address: Mapped[str | None] = mapped_column(INET)
    user_agent: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("octet_length(family_hash) = 32 AND octet_length(current_hash) = 32", name="hashes"),
        CheckConstraint("(previous_hash IS NULL) = (successor_nonce IS NULL)", name="previous"),
        length_of("user_agent", 1, MAX_USER_AGENT),
    )
