"""Timers: what an execution waits for beside its next step."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.escalation.states import TimerKind, TimerStatus
from alertops.models.columns import CreatedAt, one_of


class Timer(Base):
    """A time at which something happens to the execution if nobody does anything before."""

    __tablename__ = "timers"

    execution_id: Mapped[UUID] = mapped_column(
        ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    status: Mapped[str]
    due_at: Mapped[datetime]
    fired_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    dispatched_at: Mapped[datetime | None]
    recovery_count: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        one_of("kind", TimerKind),
        one_of("status", TimerStatus),
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("(status = 'fired') = (fired_at IS NOT NULL)", name="fired_at"),
        CheckConstraint("fired_at >= due_at", name="never_early"),
        Index(
            "uq_timers_one_waiting",
            "execution_id",
            "kind",
            unique=True,
            postgresql_where=text("status = 'waiting'"),
        ),
        Index("ix_timers_waiting_due_at", "due_at", postgresql_where=text("status = 'waiting'")),
        Index(
            "ix_timers_never_dispatched",
            "created_at",
            postgresql_where=text("status = 'waiting' AND dispatched_at IS NULL"),
        ),
    )
