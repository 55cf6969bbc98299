"""Unsnooze: the snooze is over now, and the node that fired last fires again."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.events import Unsnooze
from alertops.services.dispatch import Dispatcher
from alertops.services.operate import Answered, By, operate


def unsnooze(session: Session, dispatcher: Dispatcher, execution_id: UUID, by: By) -> Answered:
    """Go on with the execution now and commit; see `operate` for what it raises."""
    return operate(session, dispatcher, execution_id, Unsnooze(), by)
