"""The audit log of a team: who did what to what, from where, and what it was before and after."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, func
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.actor_kind import ActorKind
from alertops.models.columns import one_of


class AuditEntry(Base):
    """Written in the transaction of what it tells of. Triggers refuse to change it, or to delete it before it
    is a year old, to everybody.

    No foreign keys: it outlives the people, the keys and the team that it is about.
    """

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    team_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID]
    address: Mapped[str | None] = mapped_column(INET)
    action: Mapped[str]
    subject: Mapped[str]
    subject_id: Mapped[UUID]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]

    __table_args__ = (
        one_of("actor_kind", ActorKind),
        Index("ix_audit_log_team", "team_id", "id"),
        Index("ix_audit_log_at", "at", "id"),
    )
