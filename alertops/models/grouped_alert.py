"""Alerts of executions that take in others: each is listed once, however often it is repeated."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import length_of, one_of
from alertops.models.execution import MAX_DEDUP_KEY, MAX_SUMMARY, SEVERITIES


class GroupedAlert(Base):
    """One alert of such an execution, the one that opened it included; written under the execution's lock."""

    __tablename__ = "grouped_alerts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    # Of the execution, so that an alert is found by its key. No foreign keys: the execution has them.
    flow_id: Mapped[UUID]
    integration_id: Mapped[UUID | None]
    dedup_key: Mapped[str | None]
    summary: Mapped[str]
    severity: Mapped[str]
    alert_count: Mapped[int]
    first_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    last_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    # When its monitoring system said that it is over; what people end, ends with the execution.
    resolved_at: Mapped[datetime | None]

    __table_args__ = (
        length_of("summary", 1, MAX_SUMMARY),
        length_of("dedup_key", 1, MAX_DEDUP_KEY),
        one_of("severity", SEVERITIES),
        Index("ix_grouped_alerts_execution", "execution_id", "id"),
        Index(
            "uq_grouped_alerts_key",
            "execution_id",
            "dedup_key",
            unique=True,
            postgresql_where=text("dedup_key IS NOT NULL"),
        ),
        # What a repeat, and the end of an alert, look for.
        Index(
            "ix_grouped_alerts_unresolved",
            "dedup_key",
            "flow_id",
            postgresql_where=text("dedup_key IS NOT NULL AND resolved_at IS NULL"),
        ),
    )
