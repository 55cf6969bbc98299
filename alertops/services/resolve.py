"""Resolve: it is over."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.events import Resolve
from alertops.services.dispatch import Dispatcher
from alertops.services.operate import Answered, By, operate


def resolve(session: Session, dispatcher: Dispatcher, execution_id: UUID, by: By) -> Answered:
    """Resolve the execution and commit; see `operate` for what it raises."""
    return operate(session, dispatcher, execution_id, Resolve(), by)
