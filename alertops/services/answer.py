"""Somebody answers: the one path of acknowledge and resolve, which differ only in the event.

Safe to repeat, and safe against a claim: both lock the execution row, so that once the answer has
committed no new send is claimed, and what was claimed before is listed in the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.errors import ConflictError, NotFoundError
from alertops.escalation.decision import Reason
from alertops.escalation.events import Acknowledge, Resolve
from alertops.escalation.machine import decide
from alertops.escalation.states import AttemptStatus
from alertops.faults import Point, reach
from alertops.models import Attempt, Execution
from alertops.models.execution import OPEN_KEY_INDEX
from alertops.services.apply import apply
from alertops.services.lock import lock_execution, state_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Answered:
    """The execution as it is now, whether this answer changed it, and the sends it came too late for."""

    execution: Execution
    changed: bool
    in_flight: list[Attempt]


def answer(
    session: Session, execution_id: UUID, event: Acknowledge | Resolve, actor_id: UUID, **detail: Any
) -> Answered:
    """Decide and apply under the lock, and commit. `detail` is told on the timeline, too.

    Raises `NotFoundError`, or `ConflictError` when the execution's state does not allow it.
    """
    execution = lock_execution(session, execution_id)
    if execution is None:
        raise NotFoundError("there is no such execution")
    decision = decide(state_of(session, execution), event, database_now(session))
    if decision.reason is Reason.REFUSED:
        status = execution.status
        session.rollback()
        raise ConflictError(f"the execution is {status}; it cannot change any more", status=status)
    in_flight = list(session.scalars(_sending(execution_id)))
    try:
        if not apply(session, execution, decision, actor_id=actor_id, detail=detail).ok:
            session.rollback()
            raise ConflictError("the execution changed at the same moment; try again")
        reach(Point.BEFORE_ANSWER, session)
        session.commit()
        reach(Point.AFTER_ANSWER, session)
    except IntegrityError as error:
        session.rollback()
        if OPEN_KEY_INDEX not in str(error.orig):
            raise
        raise _newer_open(execution) from error
    session.refresh(execution)
    changed = decision.reason is Reason.ANSWERED
    if changed:
        log.info("execution_answered", execution=str(execution_id), status=execution.status)
    return Answered(execution, changed, in_flight)


def _sending(execution_id: UUID) -> Select[Attempt]:
    return (
        select(Attempt)
        .where(Attempt.execution_id == execution_id, Attempt.status == AttemptStatus.SENDING)
        .order_by(Attempt.step_number, Attempt.target_number)
    )


def _newer_open(execution: Execution) -> ConflictError:
    """An exhausted execution cannot be taken up again beside a newer one with the same key."""
    return ConflictError(
        "this execution is exhausted, and a newer one with the same dedup_key is open: answer that one, "
        "or resolve this one",
        status=execution.status,
    )
