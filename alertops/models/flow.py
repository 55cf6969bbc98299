"""Flows: the nodes as a team edits them, and the revisions as executions run them.

Every write to a flow freezes its whole definition as the next revision. An execution names the
revision that it started with, so that no later edit can change what it does. A revision is never
changed and never deleted while its flow exists.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from alertops.db import Base
from alertops.escalation.flow import (
    MAX_ATTEMPTS,
    MAX_BACKOFF_FACTOR,
    MAX_BACKOFF_SECONDS,
    MAX_BUDGET_SECONDS,
    MAX_DELAY_SECONDS,
    MAX_GROUP_FIELDS,
    MAX_GROUP_WINDOW_SECONDS,
    MAX_NODES,
    MAX_REPEAT,
    MAX_TIMEOUT_SECONDS,
    MIN_ACK_TIMEOUT_SECONDS,
    MIN_GROUP_WINDOW_SECONDS,
    MIN_RESOLVE_AFTER_SECONDS,
    USUAL_GROUP_WINDOW_SECONDS,
    OnFailure,
    OnUnknown,
)
from alertops.models.columns import CreatedAt, PrimaryId, length_of, one_of


class Flow(Base):
    __tablename__ = "flows"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    repeat: Mapped[int] = mapped_column(server_default="0")
    ack_timeout_seconds: Mapped[int | None]
    resolve_after_seconds: Mapped[int | None]
    group_by: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")
    group_window_seconds: Mapped[int] = mapped_column(server_default=str(USUAL_GROUP_WINDOW_SECONDS))
    revision_number: Mapped[int]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    archived_at: Mapped[datetime | None]

    nodes: Mapped[list[FlowNode]] = relationship(
        order_by="FlowNode.position", lazy="raise", cascade="all, delete-orphan", passive_deletes=True
    )

    __table_args__ = (
        length_of("name", 1, 100),
        length_of("description", 0, 2000),
        CheckConstraint(f"repeat BETWEEN 0 AND {MAX_REPEAT}", name="repeat"),
        CheckConstraint(
            f"ack_timeout_seconds BETWEEN {MIN_ACK_TIMEOUT_SECONDS} AND {MAX_TIMEOUT_SECONDS}",
            name="ack_timeout_seconds",
        ),
        CheckConstraint(
            f"resolve_after_seconds BETWEEN {MIN_RESOLVE_AFTER_SECONDS} AND {MAX_TIMEOUT_SECONDS}",
            name="resolve_after_seconds",
        ),
        CheckConstraint(
            f"jsonb_typeof(group_by) = 'array' AND jsonb_array_length(group_by) <= {MAX_GROUP_FIELDS}",
            name="group_by",
        ),
        CheckConstraint(
            f"group_window_seconds BETWEEN {MIN_GROUP_WINDOW_SECONDS} AND {MAX_GROUP_WINDOW_SECONDS}",
            name="group_window_seconds",
        ),
        CheckConstraint("revision_number >= 1", name="revision_number"),
    )


class FlowNode(Base):
    __tablename__ = "nodes"

    id: Mapped[PrimaryId]
    flow_id: Mapped[UUID] = mapped_column(ForeignKey("flows.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str]
    recipient: Mapped[dict[str, Any]]
    delay_seconds: Mapped[int]
    max_attempts: Mapped[int]
    backoff_seconds: Mapped[int]
    backoff_factor: Mapped[float]
    max_backoff_seconds: Mapped[int]
    jitter: Mapped[float] = mapped_column(server_default="0.2")
    budget_seconds: Mapped[int | None]
    on_failure: Mapped[str]
    on_unknown: Mapped[str]

    __table_args__ = (
        # Deferred, so that a reordering may pass through states in which two nodes share a place.
        UniqueConstraint("flow_id", "position", deferrable=True, initially="DEFERRED"),
        CheckConstraint(f"position BETWEEN 0 AND {MAX_NODES - 1}", name="position"),
        CheckConstraint(f"delay_seconds BETWEEN 0 AND {MAX_DELAY_SECONDS}", name="delay_seconds"),
        CheckConstraint(f"max_attempts BETWEEN 1 AND {MAX_ATTEMPTS}", name="max_attempts"),
        CheckConstraint(f"backoff_seconds BETWEEN 1 AND {MAX_BACKOFF_SECONDS}", name="backoff_seconds"),
        CheckConstraint(f"backoff_factor BETWEEN 1 AND {MAX_BACKOFF_FACTOR}", name="backoff_factor"),
        CheckConstraint(
            f"max_backoff_seconds BETWEEN 1 AND {MAX_BACKOFF_SECONDS}", name="max_backoff_seconds"
        ),
        CheckConstraint("jitter BETWEEN 0 AND 1", name="jitter"),
        CheckConstraint(f"budget_seconds BETWEEN 1 AND {MAX_BUDGET_SECONDS}", name="budget_seconds"),
        length_of("name", 1, 100),
        one_of("on_failure", OnFailure),
        one_of("on_unknown", OnUnknown),
    )


class FlowRevision(Base):
    __tablename__ = "revisions"

    flow_id: Mapped[UUID] = mapped_column(ForeignKey("flows.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]
    author_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (CheckConstraint("number >= 1", name="number"),)
