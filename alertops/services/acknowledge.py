"""Acknowledge: somebody has taken it, and nobody else is told."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.events import Acknowledge
from alertops.services.answer import Answered, answer


def acknowledge(session: Session, execution_id: UUID, actor_id: UUID) -> Answered:
    """Acknowledge the execution and commit; see `answer` for what it raises."""
    return answer(session, execution_id, Acknowledge(), actor_id)
