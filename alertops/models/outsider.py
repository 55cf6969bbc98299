"""Addresses that a team alerts and that are no member's: may they be, and do they still want it?"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import CreatedAt, PrimaryId, length_of


class Outsider(Base):
    """One address for one team: when it agreed to be alerted, and when it asked not to be any more."""

    __tablename__ = "outsiders"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    address: Mapped[str]
    created_at: Mapped[CreatedAt]
    confirmed_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]

    __table_args__ = (
        length_of("address", 3, 254),
        Index("ix_outsiders_team_created", "team_id", "created_at", "id"),
    )


Index("uq_outsiders_address", Outsider.team_id, func.lower(Outsider.address), unique=True)
