"""Cancel many executions at once, as the machine cancels one, in a few statements.

`decide(Cancel)` says of one execution: whatever is not over becomes `cancelled`, and what waits of it too.
Here the same is said of a set. What is being sent stays: it is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert, literal, select, update
from sqlalchemy.orm import Session

from alertops.escalation.states import TERMINAL, AttemptStatus, ExecutionStatus, StepStatus, TimerStatus
from alertops.models import Attempt, Execution, Step, TimelineEntry, Timer

CANCELLABLE = [status for status in ExecutionStatus if status not in TERMINAL]

_QUICK = {"synchronize_session": False}
_now = func.clock_timestamp


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
    if ids:
        _tell(session, ids, actor_id, reason)
        _cancel(session, ids)
    return ids


def _tell(session: Session, ids: Sequence[UUID], actor_id: UUID, reason: str) -> None:
    """An entry for each, before the statement that makes it true: it names the state that was left."""
    detail = func.jsonb_build_object("came_from", Execution.status, "reason", reason)
    told = select(Execution.id, literal(ExecutionStatus.CANCELLED.value), literal(actor_id), detail).where(
        Execution.id.in_(ids)
    )
    session.execute(insert(TimelineEntry).from_select(["execution_id", "event", "actor_id", "detail"], told))


def _cancel(session: Session, ids: Sequence[UUID]) -> None:
    session.execute(
        update(Execution)
        .where(Execution.id.in_(ids))
        .values(status=ExecutionStatus.CANCELLED, ended_at=_now(), snoozed_until=None),
        execution_options=_QUICK,
    )
    session.execute(
        update(Timer)
        .where(Timer.execution_id.in_(ids), Timer.status == TimerStatus.WAITING)
        .values(status=TimerStatus.CANCELLED),
        execution_options=_QUICK,
    )
    session.execute(
        update(Step)
        .where(Step.execution_id.in_(ids), Step.status == StepStatus.WAITING)
        .values(status=StepStatus.CANCELLED),
        execution_options=_QUICK,
    )
    session.execute(
        update(Attempt)
        .where(Attempt.execution_id.in_(ids), Attempt.status == AttemptStatus.SCHEDULED)
        .values(status=AttemptStatus.CANCELLED, finished_at=_now()),
        execution_options=_QUICK,
    )
