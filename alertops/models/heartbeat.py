"""Heartbeats: jobs that say that they are well, and whose silence is an alert."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import CreatedAt, PrimaryId, length_of, one_of
from alertops.models.execution import SEVERITIES


class HeartbeatStatus(StrEnum):
    """How it stands with a job; `services/heartbeats/heartbeat_transitions.py` draws how it changes."""

    NEW = "new"  # never pinged, and not watched before it is
    UP = "up"  # pinged in time, so far
    MISSING = "missing"  # not pinged in time: its flow was started
    PAUSED = "paused"  # somebody does not want to be told


class Heartbeat(Base):
    """What is expected of one job, and how it stands. Its key is kept as integrations keep theirs.

    Of a job that is watched, one wake-up is on its way: the one with the number `wake_number`, for `wake_at`,
    published at `dispatched_at`. A ping moves `due_at` alone: what wakes before that goes on waiting
    (`services/heartbeats/check_heartbeat.py`).
    """

    __tablename__ = "heartbeats"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    flow_id: Mapped[UUID] = mapped_column(ForeignKey("flows.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    every_seconds: Mapped[int]
    grace_seconds: Mapped[int]
    severity: Mapped[str]
    # Whether a ping ends what the silence before it has started.
    resolve_on_ping: Mapped[bool]
    status: Mapped[str]
    last_ping_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    missed_at: Mapped[datetime | None]
    # What its silence has started, until it pings; no foreign key, so that pruning executions asks nobody.
    execution_id: Mapped[UUID | None]
    prefix: Mapped[str]
    hash: Mapped[bytes] = mapped_column(unique=True)
    old_hash: Mapped[bytes | None] = mapped_column(unique=True)
    old_until: Mapped[datetime | None]
    # No foreign key: who made it stays told when they have left.
    created_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]
    wake_number: Mapped[int] = mapped_column(server_default="0")
    wake_at: Mapped[datetime | None]
    # When it came to be wanted, for recovery to give its dispatch the time that it takes.
    wake_set_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    recovery_count: Mapped[int] = mapped_column(server_default="0")

    @property
    def patience(self) -> timedelta:
        """How long it may be silent."""
        return timedelta(seconds=self.every_seconds + self.grace_seconds)

    __table_args__ = (
        length_of("name", 1, 100),
        one_of("severity", SEVERITIES),
        one_of("status", HeartbeatStatus),
        CheckConstraint("every_seconds >= 1", name="every_seconds"),
        CheckConstraint("grace_seconds >= 1", name="grace_seconds"),
        CheckConstraint("octet_length(hash) = 32", name="hash"),
        CheckConstraint("octet_length(old_hash) = 32", name="old_hash"),
        CheckConstraint("(old_hash IS NULL) = (old_until IS NULL)", name="old_until"),
        CheckConstraint("(status IN ('up', 'missing')) = (due_at IS NOT NULL)", name="due_at"),
        CheckConstraint("(status = 'missing') = (missed_at IS NOT NULL)", name="missed_at"),
        CheckConstraint("missed_at >= due_at", name="never_early"),
        CheckConstraint("(status = 'up') = (wake_at IS NOT NULL)", name="wake_at"),
        CheckConstraint("(wake_at IS NULL) = (wake_set_at IS NULL)", name="wake_set_at"),
        Index("ix_heartbeats_team_created", "team_id", "created_at", "id"),
        # What recovery reads.
        Index("ix_heartbeats_up_wake_at", "wake_at", postgresql_where=text("status = 'up'")),
        Index(
            "ix_heartbeats_never_dispatched",
            "wake_set_at",
            postgresql_where=text("status = 'up' AND dispatched_at IS NULL"),
        ),
    )
