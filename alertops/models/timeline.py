"""The timeline: what happened to an execution, in the order in which it was committed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base

# What can happen to an execution, in about the order of an alert's way.
EVENTS = (
    "started",
    "alert_repeated",
    "alert_joined",
    "alerts_joined",
    "step_fired",
    "address_refused",
    "address_stopped",
    "nobody_to_tell",
    "attempt_scheduled",
    "attempt_claimed_again",
    "attempt_delivered",
    "attempt_failed",
    "attempt_unknown",
    "attempt_cancelled",
    "attempt_doubted",
    "webhook_gone",
    "step_brought_forward",
    "step_replanned",
    "course_changed",
    "acknowledged",
    "snoozed",
    "resumed",
    "exhausted",
    "resolved",
    "cancelled",
    "replayed",
    "note",
)


class TimelineEntry(Base):
    """Written in the same transaction as what it tells of, under the execution's lock."""

    __tablename__ = "timeline"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    event: Mapped[str]
    step_number: Mapped[int | None]
    target_number: Mapped[int | None]
    attempt_number: Mapped[int | None]
    actor_id: Mapped[UUID | None]
    detail: Mapped[dict[str, Any]]

    __table_args__ = (Index("ix_timeline_execution", "execution_id", "id"),)
