"""End many locked executions at once, as the machine ends one, in a few statements.

`decide(Resolve)` and `decide(Cancel)` say of one execution: whatever is not over is now, and what waits of it
is cancelled. Here the same is said of a set. What is being sent stays: it is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import cast, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from alertops.escalation.states import AttemptStatus, ExecutionStatus, StepStatus, TimerStatus
from alertops.models import Attempt, Execution, Step, TimelineEntry, Timer

_QUICK = {"synchronize_session": False}
_now = func.clock_timestamp


def end_executions(
    session: Session, ids: Sequence[UUID], to: ExecutionStatus, actor_id: UUID, **said: Any
) -> None:
    """Any state that is not over -> `to`, in the running transaction, which holds the locks of their rows."""
    if not ids:
        return
    _tell(session, ids, to, actor_id, said)
    _end(session, ids, to)


def _tell(
    session: Session, ids: Sequence[UUID], to: ExecutionStatus, actor_id: UUID, said: dict[str, Any]
) -> None:
    """An entry for each, before the statement that makes it true: it names the state that was left."""
    came_from = func.jsonb_build_object("came_from", Execution.status)
    detail = came_from.op("||")(cast(literal(said, JSONB), JSONB))
    told = select(Execution.id, literal(to.value), literal(actor_id), detail).where(Execution.id.in_(ids))
    session.execute(insert(TimelineEntry).from_select(["execution_id", "event", "actor_id", "detail"], told))


def _end(session: Session, ids: Sequence[UUID], to: ExecutionStatus) -> None:
    session.execute(
        update(Execution).where(Execution.id.in_(ids)).values(status=to, ended_at=_now(), snoozed_until=None),
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
