"""Subscriptions: machines that are told what happens to a team's executions, entry by entry."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.escalation.states import UNFINISHED, AttemptStatus, ExecutionStatus
from alertops.models.columns import CreatedAt, PrimaryId, length_of, one_of

_unfinished = ", ".join(f"'{status}'" for status in UNFINISHED)


class Subscription(Base):
    """One receiver of a team's events. What is to be delivered to it are rows of `event_deliveries`.

    One that is deleted is gone, so that nothing is left of its URL; the audit log tells that it was.
    """

    __tablename__ = "subscriptions"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    name: Mapped[str]
    url: Mapped[str]
    # The names of the events that it is told of; all of them, also those that come to be later, when null.
    events: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    # Why it is not enabled, when it was not a person who decided so.
    disabled_because: Mapped[str | None]
    # No foreign key: who made it stays told when they have left.
    created_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]
    # How it goes: to the second at most, so that deliveries side by side do not wait for this row.
    last_success_at: Mapped[datetime | None]
    last_failure_at: Mapped[datetime | None]
    last_failure: Mapped[str | None]
    given_up: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        length_of("name", 1, 100),
        CheckConstraint("cardinality(events) >= 1", name="events"),
        CheckConstraint("enabled <= (disabled_because IS NULL)", name="disabled_because"),
        Index("ix_subscriptions_team_created", "team_id", "created_at", "id"),
    )


class EventDelivery(Base):
    """One entry of a timeline on its way to one subscription; its id is the `webhook-id` of all tries.

    Rows are written by the trigger `write_event_deliveries` of the timeline, in the transaction of the entry.
    `flow_id` and `execution_status` are of that moment, so that every try says the same. States are those of
    an attempt, in one row for all tries.

    There is no foreign key to the subscription: an entry must not wait for somebody who deletes one, let
    alone fail. What is left of it is cancelled when it comes up.
    """

    __tablename__ = "event_deliveries"

    id: Mapped[PrimaryId]
    subscription_id: Mapped[UUID]
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    # The id of the entry: it grows along a timeline.
    position: Mapped[int] = mapped_column(BigInteger)
    flow_id: Mapped[UUID]
    execution_status: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=AttemptStatus.SCHEDULED)
    tries: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[CreatedAt]
    claim_number: Mapped[int] = mapped_column(server_default="0")
    lease_id: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    detail: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    recovery_count: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        one_of("execution_status", ExecutionStatus),
        one_of("status", AttemptStatus),
        CheckConstraint("(status = 'sending') <= (lease_until IS NOT NULL)", name="lease"),
        CheckConstraint(f"(status IN ({_unfinished})) = (finished_at IS NULL)", name="finished_at"),
        Index("uq_event_deliveries_entry", "execution_id", "subscription_id", "position", unique=True),
        # The line in which they wait: one goes when none before it is left.
        Index(
            "ix_event_deliveries_line",
            "execution_id",
            "subscription_id",
            "position",
            postgresql_where=text(f"status IN ({_unfinished})"),
        ),
        # What is over is deleted when it is old enough, oldest first.
        Index(
            "ix_event_deliveries_finished",
            "finished_at",
            "id",
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
        Index("ix_event_deliveries_failed", "finished_at", postgresql_where=text("status = 'failed'")),
        Index(
            "ix_event_deliveries_scheduled_due_at", "due_at", postgresql_where=text("status = 'scheduled'")
        ),
        Index(
            "ix_event_deliveries_sending_lease", "lease_until", postgresql_where=text("status = 'sending'")
        ),
        Index(
            "ix_event_deliveries_never_dispatched",
            "created_at",
            postgresql_where=text("status = 'scheduled' AND dispatched_at IS NULL"),
        ),
    )
