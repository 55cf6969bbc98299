"""Secrets of teams that sign their webhooks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import CreatedAt, PrimaryId


class WebhookSecret(Base):
    """One secret, sealed (`alertops.secret_box`), and its beginning, by which people know it again.

    One that is revoked is deleted, so that nothing is left of it; the audit log tells that it was.
    """

    __tablename__ = "webhook_secrets"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    prefix: Mapped[str]
    sealed: Mapped[str]
    # No foreign key: who made it stays told when they have left.
    created_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_webhook_secrets_team_created", "team_id", "created_at", "id"),)
