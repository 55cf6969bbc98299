"""Integrations: monitoring systems that raise and end alerts of a team; and changes that they tell of."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.intake.event import Source
from alertops.intake.limits import MAX_RULES
from alertops.models.columns import CreatedAt, PrimaryId, length_of, one_of
from alertops.models.execution import MAX_SUMMARY


class Integration(Base):
    """One way in: its key as a SHA-256 alone, and the beginning of it, by which people know it again.

    While a key is being replaced, the one before it is good until `old_until`.
    """

    __tablename__ = "integrations"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    kind: Mapped[str]
    name: Mapped[str]
    # Where alerts go that no rule takes, and the rules: a list of `alertops.intake.routing.Rule`.
    flow_id: Mapped[UUID] = mapped_column(ForeignKey("flows.id", ondelete="CASCADE"), index=True)
    rules: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")
    # How to read what comes, where its shape is the sender's own (`alertops.intake.mapping`).
    mapping: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    prefix: Mapped[str]
    hash: Mapped[bytes] = mapped_column(unique=True)
    # The secret that its notifications are signed with, sealed (`alertops.secret_box`).
    sealed: Mapped[str | None]
    old_hash: Mapped[bytes | None] = mapped_column(unique=True)
    old_until: Mapped[datetime | None]
    # No foreign keys: who made and who revoked it stays told when they have left.
    created_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None]

    @property
    def signed(self) -> bool:
        """Whether it takes nothing that is not signed."""
        return self.sealed is not None

    __table_args__ = (
        one_of("kind", Source),
        length_of("name", 1, 100),
        CheckConstraint("octet_length(hash) = 32", name="hash"),
        CheckConstraint("octet_length(old_hash) = 32", name="old_hash"),
        CheckConstraint("(old_hash IS NULL) = (old_until IS NULL)", name="old_until"),
        CheckConstraint(
            f"jsonb_typeof(rules) = 'array' AND jsonb_array_length(rules) <= {MAX_RULES}", name="rules"
        ),
        Index("ix_integrations_team_created", "team_id", "created_at", "id"),
    )


class Change(Base):
    """Something that was changed somewhere, such as a deployment. It is recorded, and alerts nobody."""

    __tablename__ = "changes"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    integration_id: Mapped[UUID] = mapped_column(
        ForeignKey("integrations.id", ondelete="CASCADE"), index=True
    )
    summary: Mapped[str]
    details: Mapped[dict[str, Any]]
    # When it happened, if the sender says so.
    occurred_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        length_of("summary", 1, MAX_SUMMARY),
        Index("ix_changes_team_created", "team_id", "created_at", "id"),
        # What retention reads: the oldest first.
        Index("ix_changes_created_at", "created_at", "id"),
    )
