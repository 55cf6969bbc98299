"""Tenants, and who belongs to them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import CreatedAt, PrimaryId, length_of, one_of


class Role(StrEnum):
    """What a member may do in a team."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class Team(Base):
    """One that was deleted has no members and no keys any more, so that nobody sees it; its history stays."""

    __tablename__ = "teams"

    id: Mapped[PrimaryId]
    name: Mapped[str]
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (length_of("name", 1, 100),)


class Membership(Base):
    __tablename__ = "memberships"

    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str]
    created_at: Mapped[CreatedAt]

    __table_args__ = (one_of("role", Role),)
