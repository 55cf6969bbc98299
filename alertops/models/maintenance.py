"""Maintenance: times in which alerts of a team, or of one of its flows, tell nobody."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import CreatedAt, PrimaryId, length_of, one_of


class MaintenanceMode(StrEnum):
    """What becomes of an alert."""

    HOLD = "hold"  # its execution is snoozed until the window is over
    DROP = "drop"  # its execution is cancelled at once


class MaintenanceWindow(Base):
    """Once, from `starts_at` to `ends_at`; or, with `hours`, again and again within that time."""

    __tablename__ = "maintenance_windows"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    # Of all the team's flows, without one.
    flow_id: Mapped[UUID | None] = mapped_column(ForeignKey("flows.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    mode: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    hours: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    # No foreign keys: who declared and who ended it stays told when they have left.
    created_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None]

    __table_args__ = (
        length_of("name", 1, 100),
        one_of("mode", MaintenanceMode),
        CheckConstraint("ends_at > starts_at", name="ends_at"),
        CheckConstraint("ends_at IS NOT NULL OR hours IS NOT NULL", name="has_an_end"),
        Index("ix_maintenance_windows_team_created", "team_id", "created_at", "id"),
        # Asked for each alert: hardly ever is one in force.
        Index("ix_maintenance_windows_in_force", "team_id", postgresql_where=text("ended_at IS NULL")),
    )
