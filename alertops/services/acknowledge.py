"""Acknowledge: somebody has taken it, and nobody else is told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.events import Acknowledge
from alertops.services.answer import Answered, answer


def acknowledge(session: Session, execution_id: UUID, actor_id: UUID, **detail: Any) -> Answered:
    """Acknowledge the execution and commit; see `answer`."""
    return answer(session, execution_id, Acknowledge(), actor_id, **detail)
