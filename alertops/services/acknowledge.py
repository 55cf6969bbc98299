"""Acknowledge: somebody has taken it, and nobody else is told."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.events import Acknowledge
from alertops.services.dispatch import Dispatcher
from alertops.services.operate import Answered, By, operate


def acknowledge(session: Session, dispatcher: Dispatcher, execution_id: UUID, by: By) -> Answered:
    """Acknowledge the execution and commit; see `operate` for what it raises."""
    return operate(session, dispatcher, execution_id, Acknowledge(), by)
