"""API keys: programs that act for a team, each within its scopes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import CreatedAt, PrimaryId, length_of


class Scope(StrEnum):
    """What a key may be for; a key has one or several."""

    TRIGGER = "trigger"
    READ = "read"
    MANAGE = "manage"


_scopes = ", ".join(f"'{scope}'" for scope in Scope)


class ApiKey(Base):
    """One key: its SHA-256 alone, and the beginning of it, by which people know it again."""

    __tablename__ = "api_keys"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    name: Mapped[str]
    prefix: Mapped[str]
    hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String))
    # No foreign keys: who made and who revoked it stays told when they have left.
    created_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None]

    __table_args__ = (
        length_of("name", 1, 100),
        CheckConstraint("octet_length(hash) = 32", name="hash"),
        CheckConstraint(f"cardinality(scopes) >= 1 AND scopes <@ ARRAY[{_scopes}]::varchar[]", name="scopes"),
        Index("ix_api_keys_team_created", "team_id", "created_at", "id"),
    )
