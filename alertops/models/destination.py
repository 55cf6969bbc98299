"""Destinations: places that a team's alerts can go to by a service, such as a room of a chat."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import CreatedAt, PrimaryId, length_of


class Destination(Base):
    """A place, by a URL that has tokens in it: sealed (`alertops.secret_box`), and what of it may be shown.

    Flows name it by its id, so that no revision and no attempt has anything of the URL. One that is deleted
    is gone, so that nothing is left of its URL; the audit log tells that it was.
    """

    __tablename__ = "destinations"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    name: Mapped[str]
    shown: Mapped[str]
    sealed: Mapped[str]
    # No foreign key: who made it stays told when they have left.
    created_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime | None]

    __table_args__ = (
        length_of("name", 1, 100),
        # People choose by the name.
        UniqueConstraint("team_id", "name"),
        Index("ix_destinations_team_created", "team_id", "created_at", "id"),
    )
