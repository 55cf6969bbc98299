"""What people ask of an execution: the one path of acknowledge, resolve, snooze, escalate and the rest.

::

    lock ─▶ decide ─┬─ already: leave, and say so
                    ├─ refused: 409, with the state and what is possible in it
                    └─ else:    apply, timeline ─▶ commit ─▶ dispatch

Safe to repeat, and safe against a claim: both lock the execution row, so that once an answer has
committed no new send is claimed, and what was claimed before is listed in the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.errors import ConflictError, NotFoundError
from alertops.escalation.decision import Decision, Reason
from alertops.escalation.events import Operation
from alertops.escalation.machine import decide
from alertops.escalation.operations import possible
from alertops.escalation.state import State
from alertops.escalation.states import AttemptStatus, ExecutionStatus
from alertops.faults import Point, reach
from alertops.models import Attempt, Execution
from alertops.models.execution import OPEN_KEY_INDEX
from alertops.services.apply import apply
from alertops.services.dispatch import Dispatcher
from alertops.services.lock import lock_execution, planning_state, read_steps

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class By:
    """Who asks: somebody known, or whoever holds the mail that went to this address. And what they say."""

    actor_id: UUID | None
    address: str | None = None
    note: str | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What the timeline tells of it, beside who it was."""
        told = {"by_mail": self.address, "note": self.note}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True)
class Answered:
    """The execution as it is now, whether this changed it, and the sends that it came too late for."""

    execution: Execution
    changed: bool
    in_flight: list[Attempt]


def operate(
    session: Session, dispatcher: Dispatcher, execution_id: UUID, operation: Operation, by: By
) -> Answered:
    """Decide and apply under the lock, and commit.

    Raises `NotFoundError`, or `ConflictError` when the execution's state does not allow it.
    """
    execution, state = lock_and_read(session, execution_id)
    decision = decide(state, operation, database_now(session))
    return carry_out(session, dispatcher, execution, decision, by, did=type(operation).__name__.lower())


def lock_and_read(session: Session, execution_id: UUID) -> tuple[Execution, State]:
    """The execution, locked until the transaction ends, and all that the machine needs to know of it."""
    execution = lock_execution(session, execution_id)
    if execution is None:
        raise NotFoundError("there is no such execution")
    return execution, planning_state(session, execution, read_steps(session, execution))


def carry_out(
    session: Session,
    dispatcher: Dispatcher,
    execution: Execution,
    decision: Decision,
    by: By,
    *,
    did: str,
    said: Mapping[str, Any] | None = None,
) -> Answered:
    """Apply what was decided of the locked execution, commit and dispatch; `said` goes to the timeline."""
    refuse(session, execution, decision, did)
    in_flight = list(session.scalars(_sending(execution.id)))
    try:
        applied = apply(session, execution, decision, actor_id=by.actor_id, said={**by.said, **(said or {})})
        if not applied.ok:
            session.rollback()
            raise ConflictError("the execution changed at the same moment; try again")
        reach(Point.BEFORE_ANSWER, session)
        session.commit()
        reach(Point.AFTER_ANSWER, session)
    except IntegrityError as error:
        session.rollback()
        if OPEN_KEY_INDEX not in str(error.orig):
            raise
        raise _another_is_open(execution) from error
    changed = decision.reason is not Reason.ALREADY
    if changed:
        log.info("execution_answered", execution=str(execution.id), did=did, by=str(by.actor_id))
    dispatcher.dispatch(session, applied.wake_ups)
    session.refresh(execution)
    return Answered(execution, changed, in_flight)


def refuse(session: Session, execution: Execution, decision: Decision, did: str) -> None:
    """Let the lock go and raise, when it was decided that this is not possible now."""
    if decision.reason is not Reason.REFUSED:
        return
    status = ExecutionStatus(execution.status)
    session.rollback()
    can = possible(status)
    raise ConflictError(
        f"the execution is {status}, and {did} is not possible then; what is: {', '.join(can) or 'nothing'}",
        status=status.value,
        possible=can,
    )


def _sending(execution_id: UUID) -> Select[Attempt]:
    return (
        select(Attempt)
        .where(Attempt.execution_id == execution_id, Attempt.status == AttemptStatus.SENDING)
        .order_by(Attempt.step_number, Attempt.target_number)
    )


def _another_is_open(execution: Execution) -> ConflictError:
    """Two executions of a flow cannot be open with the same key."""
    return ConflictError(
        "another execution with the same dedup_key is open in the flow: answer that one, or resolve this one",
        status=execution.status,
    )
