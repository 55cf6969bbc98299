"""Resolve: it is over."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.events import Resolve
from alertops.services.answer import Answered, answer


def resolve(session: Session, execution_id: UUID, actor_id: UUID, **detail: Any) -> Answered:
    """Resolve the execution and commit; see `answer`."""
    return answer(session, execution_id, Resolve(), actor_id, **detail)
