"""Attempts: tries at reaching one target of a step."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.escalation.states import UNFINISHED, AttemptStatus
from alertops.models.columns import CreatedAt, one_of

_unfinished = ", ".join(f"'{status}'" for status in UNFINISHED)


class Attempt(Base):
    """One try at one target, keyed (execution, step, target, attempt).

    `claim_number` and `lease_id` fence: only the holder of the newest claim can record anything.
    `transmit_at` is set just before the point of no return.
    """

    __tablename__ = "attempts"

    execution_id: Mapped[UUID] = mapped_column(primary_key=True)
    step_number: Mapped[int] = mapped_column(primary_key=True)
    target_number: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str]
    address: Mapped[str]
    # Of an address that is no member's: its row in `outsiders`, which stays as long as the team does.
    outsider_id: Mapped[UUID | None]
    # Whose it is, when it is told for being theirs; of somebody who may have left since.
    user_id: Mapped[UUID | None]
    status: Mapped[str]
    due_at: Mapped[datetime]
    claim_number: Mapped[int] = mapped_column(server_default="0")
    lease_id: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    transmit_at: Mapped[datetime | None]
    may_repeat: Mapped[bool] = mapped_column(server_default=text("false"))
    detail: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    recovery_count: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        ForeignKeyConstraint(
            ["execution_id", "step_number"], ["steps.execution_id", "steps.number"], ondelete="CASCADE"
        ),
        one_of("status", AttemptStatus),
        CheckConstraint("(status = 'sending') <= (lease_until IS NOT NULL)", name="lease"),
        CheckConstraint(f"(status IN ({_unfinished})) = (finished_at IS NULL)", name="finished_at"),
        # One try at a target at a time: a second one would be a duplicate in the making.
        Index(
            "uq_attempts_one_unfinished",
            "execution_id",
            "step_number",
            "target_number",
            unique=True,
            postgresql_where=text(f"status IN ({_unfinished})"),
        ),
        Index("ix_attempts_scheduled_due_at", "due_at", postgresql_where=text("status = 'scheduled'")),
        Index("ix_attempts_sending_lease", "lease_until", postgresql_where=text("status = 'sending'")),
        Index(
            "ix_attempts_never_dispatched",
            "created_at",
            postgresql_where=text("status = 'scheduled' AND dispatched_at IS NULL"),
        ),
    )
