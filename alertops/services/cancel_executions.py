"""Cancel many executions at once: those that a condition finds, whatever else goes on."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from alertops.escalation.states import TERMINAL, ExecutionStatus
from alertops.models import Execution
from alertops.services.end_executions import end_executions

CANCELLABLE = [status for status in ExecutionStatus if status not in TERMINAL]


def cancel_executions(
    session: Session, which: ColumnElement[bool], actor_id: UUID, reason: str
) -> list[UUID]:
    """Cancel those of them that are not over, in the running transaction; return their ids.

    Their rows are locked in a statement of its own and in the order of their ids; all else is read after it.
    """
    ids = list(
        session.scalars(
            select(Execution.id)
            .where(which, Execution.status.in_(CANCELLABLE))
            .order_by(Execution.id)
            .with_for_update(key_share=True)
        )
    )
    end_executions(session, ids, ExecutionStatus.CANCELLED, actor_id, reason=reason)
    return ids
