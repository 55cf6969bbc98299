"""Cancel: it is not wanted; nobody is told any more, and it is over without having been solved."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.events import Cancel
from alertops.services.dispatch import Dispatcher
from alertops.services.operate import Answered, By, operate


def cancel(session: Session, dispatcher: Dispatcher, execution_id: UUID, by: By) -> Answered:
    """Cancel the execution and commit; see `operate` for what it raises."""
    return operate(session, dispatcher, execution_id, Cancel(), by)
