"""People who can log in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped

from alertops.db import Base
from alertops.models.columns import CreatedAt, PrimaryId, length_of


class User(Base):
    __tablename__ = "users"

    id: Mapped[PrimaryId]
    email: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str]
    created_at: Mapped[CreatedAt]
    # When whoever holds the account showed that they read what is sent to the address; null: not yet.
    email_verified_at: Mapped[datetime | None]

    __table_args__ = (length_of("email", 3, 254), length_of("name", 1, 100))


# Addresses compare without regard to case, in the database too, so that a race has one winner.
Index("uq_users_email_lower", func.lower(User.email), unique=True)
