"""Snooze: nobody is told until then; then the node that fired last fires again, and the flow goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.errors import InvalidInputError
from alertops.escalation.events import Snooze
from alertops.services.dispatch import Dispatcher
from alertops.services.operate import Answered, By, operate

MAX_SNOOZE = timedelta(days=30)


def snooze(
    session: Session, dispatcher: Dispatcher, execution_id: UUID, until: datetime | timedelta, by: By
) -> Answered:
    """Snooze the execution until then, or for so long, and commit; see `operate` for what else it raises.

    Raises `InvalidInputError` when that is not within the next 30 days by the database's clock. Asked for
    again with the same time it changes nothing; with a length, it begins anew.
    """
    now = database_now(session)
    pointer, end = ("/for_seconds", now + until) if isinstance(until, timedelta) else ("/until", until)
    if not now < end <= now + MAX_SNOOZE:
        session.rollback()
        raise InvalidInputError(pointer, f"Must be within the next {MAX_SNOOZE.days} days.")
    return operate(session, dispatcher, execution_id, Snooze(end), by)
