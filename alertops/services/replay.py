"""Replay: the same alert once more, as an execution of its own.

Safe to repeat: while a replay of an execution is open, asking for another gives that one. The row lock of the
execution that is replayed makes two who ask at once agree on one.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from alertops.errors import ConflictError, NotFoundError
from alertops.escalation.operations import REPLAYABLE, possible
from alertops.escalation.states import OPEN_FOR_DEDUPLICATION, ExecutionStatus
from alertops.models import Execution, Flow
from alertops.models.execution import OPEN_KEY_INDEX
from alertops.services.begin_executions import begin
from alertops.services.dispatch import Dispatcher
from alertops.services.lock import lock_execution
from alertops.services.start_executions import Started
from alertops.services.timeline import tell


def replay(
    session: Session, dispatcher: Dispatcher, execution_id: UUID, *, original: bool, actor_id: UUID
) -> Started:
    """Open an execution of the same alert, on the revision that it ran or on its flow's newest, and commit.

    Raises `NotFoundError`, or `ConflictError` when it is not over yet, when its flow is archived, or when
    another execution with its key is open.
    """
    flow = _lock_flow(session, execution_id)
    old = lock_execution(session, execution_id)
    if old is None or flow is None:
        raise NotFoundError("there is no such execution")
    _require_over(session, old)
    opened = session.scalars(
        select(Execution).where(Execution.replay_of == old.id, Execution.status.in_(OPEN_FOR_DEDUPLICATION))
    ).first()
    if opened is not None:
        session.rollback()
        return Started(opened, created=False)
    if flow.archived_at is not None:
        session.rollback()
        raise ConflictError("the flow is archived; it starts nothing", archived=True)
    new = _copy(old, old.revision_number if original else flow.revision_number)
    try:
        session.add(new)
        session.flush()
        tell(session, old.id, "replayed", actor_id=actor_id, execution_id=str(new.id))
        begin(session, dispatcher, new, actor_id, replay_of=str(old.id))
        return Started(new, created=True)
    except IntegrityError as error:
        session.rollback()
        if OPEN_KEY_INDEX not in str(error.orig):
            raise
        raise ConflictError("another execution with the same dedup_key is open in that flow") from error


def _lock_flow(session: Session, execution_id: UUID) -> Flow | None:
    """As a start locks it, and before the execution: archiving waits for us, or we for it."""
    of_execution = select(Execution.flow_id).where(Execution.id == execution_id).scalar_subquery()
    return session.scalars(
        select(Flow)
        .where(Flow.id == of_execution)
        .with_for_update(read=True, key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _require_over(session: Session, old: Execution) -> None:
    status = ExecutionStatus(old.status)
    if status in REPLAYABLE:
        return
    session.rollback()
    can = possible(status)
    raise ConflictError(
        f"the execution is {status}, and goes on; what is possible now: {', '.join(can)}",
        status=status.value,
        possible=can,
    )


def _copy(old: Execution, revision_number: int) -> Execution:
    return Execution(
        team_id=old.team_id,
        flow_id=old.flow_id,
        revision_number=revision_number,
        status=ExecutionStatus.RUNNING,
        summary=old.summary,
        severity=old.severity,
        dedup_key=old.dedup_key,
        details=old.details,
        replay_of=old.id,
        anchor_at=func.now(),
    )
