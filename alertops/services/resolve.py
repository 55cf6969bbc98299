"""Resolve: it is over."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.events import Resolve
from alertops.services.answer import Answered, answer


def resolve(session: Session, execution_id: UUID, actor_id: UUID) -> Answered:
    """Resolve the execution and commit; see `answer` for what it raises."""
    return answer(session, execution_id, Resolve(), actor_id)
