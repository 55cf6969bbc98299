"""Executions, and their steps. The rows are the truth; messages only wake somebody to read them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.escalation.states import OPEN_FOR_DEDUPLICATION, TERMINAL, ExecutionStatus, StepStatus
from alertops.models.columns import CreatedAt, PrimaryId, length_of, one_of

SEVERITIES = ("critical", "error", "warning", "info")
MAX_SUMMARY = 1024
MAX_DEDUP_KEY = 255
OPEN_KEY_INDEX = "uq_executions_open_dedup_key"

_open = ", ".join(f"'{status}'" for status in OPEN_FOR_DEDUPLICATION)
_unresolved = ", ".join(f"'{status}'" for status in ExecutionStatus if status not in TERMINAL)


class Execution(Base):
    __tablename__ = "executions"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    flow_id: Mapped[UUID]
    revision_number: Mapped[int]
    status: Mapped[str]
    summary: Mapped[str]
    severity: Mapped[str]
    dedup_key: Mapped[str | None]
    details: Mapped[dict[str, Any]]
    alert_count: Mapped[int] = mapped_column(server_default="1")
    # What due times are counted from, and the earliest that any can be (`escalation.plan.Course`).
    anchor_at: Mapped[datetime]
    not_before_at: Mapped[datetime | None]
    # The number of the first step of the present leg: what came before it was left behind.
    first_step: Mapped[int] = mapped_column(server_default="1")
    # What it runs instead of a flow's revision, since it was handed to a person.
    definition: Mapped[dict[str, Any] | None]
    replay_of: Mapped[UUID | None] = mapped_column(ForeignKey("executions.id", ondelete="SET NULL"))
    # Which integration's alert opened it; no foreign key, so that an alert takes no lock for it.
    integration_id: Mapped[UUID | None]
    # What it has in common with the alerts that it takes in (`services/storms/`), and until when it does so.
    group_key: Mapped[str | None]
    group_until: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    snoozed_until: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    # No foreign key, here and in timeline and revisions: who did it stays told when their account is gone.
    acknowledged_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["flow_id", "revision_number"], ["revisions.flow_id", "revisions.number"], ondelete="CASCADE"
        ),
        one_of("status", ExecutionStatus),
        CheckConstraint("(status = 'snoozed') = (snoozed_until IS NOT NULL)", name="snoozed_until"),
        one_of("severity", SEVERITIES),
        CheckConstraint("(group_key IS NULL) = (group_until IS NULL)", name="group_until"),
        length_of("summary", 1, MAX_SUMMARY),
        length_of("dedup_key", 1, MAX_DEDUP_KEY),
        # Alerts that race with the same key: the database lets one of them open an execution.
        Index(
            OPEN_KEY_INDEX,
            "flow_id",
            "dedup_key",
            unique=True,
            postgresql_where=text(f"dedup_key IS NOT NULL AND status IN ({_open})"),
        ),
        # What alerts of a group look for. Hardly any execution takes others in.
        Index(
            "ix_executions_open_group",
            "flow_id",
            "group_key",
            postgresql_where=text(f"group_key IS NOT NULL AND status IN ({_open})"),
        ),
        Index("ix_executions_team_created", "team_id", "created_at", "id"),
        Index("ix_executions_team_status", "team_id", "status", "created_at", "id"),
        Index("ix_executions_replay_of", "replay_of", postgresql_where=text("replay_of IS NOT NULL")),
        # What an integration that sends the end of an alert looks for.
        Index(
            "ix_executions_integration_unresolved",
            "integration_id",
            "dedup_key",
            postgresql_where=text(f"integration_id IS NOT NULL AND status IN ({_unresolved})"),
        ),
        # How many are open is asked at every scrape of the metrics; most of the table is not.
        Index("ix_executions_open_status", "status", postgresql_where=text(f"status IN ({_open})")),
        # What is over is deleted when it is old enough, oldest first.
        Index("ix_executions_ended", "ended_at", "id", postgresql_where=text("ended_at IS NOT NULL")),
    )


class Step(Base):
    """One firing of a node. `planned_at` comes from the plan; `due_at` may be brought forward.

    The node is the one of that id in the revision; no revision is what a person was handed.
    """

    __tablename__ = "steps"

    execution_id: Mapped[UUID] = mapped_column(
        ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    round: Mapped[int]
    node_index: Mapped[int]
    node_id: Mapped[str]
    node_name: Mapped[str]
    revision_number: Mapped[int | None]
    status: Mapped[str]
    planned_at: Mapped[datetime]
    due_at: Mapped[datetime]
    fired_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    dispatched_at: Mapped[datetime | None]
    recovery_count: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        one_of("status", StepStatus),
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("(status = 'fired') = (fired_at IS NOT NULL)", name="fired_at"),
        CheckConstraint("fired_at >= due_at", name="never_early"),
        # An execution waits for one step at a time: a second one would be a fork in the escalation.
        Index(
            "uq_steps_one_waiting", "execution_id", unique=True, postgresql_where=text("status = 'waiting'")
        ),
        # What recovery reads: waiting rows in the order in which they come due.
        Index("ix_steps_waiting_due_at", "due_at", postgresql_where=text("status = 'waiting'")),
        Index(
            "ix_steps_never_dispatched",
            "created_at",
            postgresql_where=text("status = 'waiting' AND dispatched_at IS NULL"),
        ),
    )
