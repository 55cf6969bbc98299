"""An alert becomes an execution: the batch of one (`start_executions.py`)."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.models import Flow
from alertops.services.alerts import Alert, StartRequest
from alertops.services.dispatch import Dispatcher
from alertops.services.start_executions import Started, start_executions

__all__ = ["Alert", "Started", "start_execution"]


def start_execution(
    session: Session, dispatcher: Dispatcher, flow: Flow, alert: Alert, actor_id: UUID | None
) -> Started:
    """Open an execution of the flow's newest revision, or join the open one with the same dedup key."""
    (started,) = start_executions(session, dispatcher, [StartRequest(flow.id, alert)], actor_id)
    return started
