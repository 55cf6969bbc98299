"""URLs of machines that said that they are gone."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import CreatedAt, PrimaryId


class GoneWebhook(Base):
    """One URL, as far as one team is concerned: since it was 410 Gone, nothing of the team goes there.

    Of the URL there is the SHA-256, as what is known of it may be enough to use it; and where it leads.
    """

    __tablename__ = "gone_webhooks"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    url_hash: Mapped[bytes]
    shown_url: Mapped[str]
    said: Mapped[str]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("octet_length(url_hash) = 32", name="url_hash"),
        Index("uq_gone_webhooks_team_url", "team_id", "url_hash", unique=True),
        Index("ix_gone_webhooks_team_created", "team_id", "created_at", "id"),
    )
