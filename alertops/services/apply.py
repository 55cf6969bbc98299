"""Carry out the effects of a decision, under the execution's lock, and collect what to wake.

The next thing is always inserted here, in the transaction of the outcome that leads to it: a crash
can lose a wake-up, which recovery repairs, but never the row that it was for.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.decision import (
    BringForward,
    CancelWaiting,
    Decision,
    Effect,
    FireStep,
    PlanStep,
    RetryAttempt,
)
from alertops.escalation.states import AttemptStatus, ExecutionStatus
from alertops.models import Attempt, Execution
from alertops.services import transitions
from alertops.services.dispatch import AttemptWakeUp, StepWakeUp, WakeUp
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.timeline import tell


@dataclass(frozen=True)
class Applied:
    """`ok` is false when a guard found that somebody else got there first: roll back and leave."""

    ok: bool
    wake_ups: list[WakeUp]


def apply(
    session: Session,
    execution: Execution,
    decision: Decision,
    *,
    attempt: Attempt | None = None,
    actor_id: UUID | None = None,
) -> Applied:
    """Apply the effects in order, then the transition of the execution.

    `attempt` is the one that the event was about. Claims, ends and waking again are not effects on
    the escalation but on the caller's own attempt; the caller has carried them out already.
    """
    wake_ups: list[WakeUp] = []
    for effect in decision.effects:
        woken = _apply_effect(session, execution, effect, attempt)
        if woken is None:
            return Applied(False, [])
        wake_ups += woken
    if decision.to is not None and not _move(session, execution, decision, actor_id):
        return Applied(False, [])
    return Applied(True, wake_ups)


def _apply_effect(
    session: Session, execution: Execution, effect: Effect, attempt: Attempt | None
) -> list[WakeUp] | None:
    """The wake-ups that the effect calls for; None when its guard did not hold."""
    match effect:
        case FireStep(step):
            return [] if transitions.fire_step(session, StepKey(execution.id, step)) else None
        case PlanStep(planned):
            transitions.insert_step(session, execution.id, planned)
            return [StepWakeUp(StepKey(execution.id, planned.number), planned.due_at)]
        case BringForward(step, due_at):
            key = StepKey(execution.id, step)
            if not transitions.bring_step_forward(session, key):
                return None
            tell(session, key, "step_brought_forward")
            return [StepWakeUp(key, due_at)]
        case RetryAttempt():
            return [_insert_retry(session, effect, attempt)]
        case CancelWaiting():
            transitions.cancel_waiting_steps(session, execution.id)
            transitions.cancel_scheduled_attempts(session, execution.id)
            return []
        case _:
            return []


def _insert_retry(session: Session, retry: RetryAttempt, failed: Attempt | None) -> WakeUp:
    if failed is None:
        raise ValueError("a retry follows an attempt, and none was given")
    session.add(
        Attempt(
            execution_id=failed.execution_id,
            step_number=failed.step_number,
            target_number=failed.target_number,
            number=retry.attempt,
            channel=failed.channel,
            address=failed.address,
            outsider_id=failed.outsider_id,
            user_id=failed.user_id,
            status=AttemptStatus.SCHEDULED,
            due_at=retry.due_at,
            may_repeat=retry.may_repeat,
        )
    )
    key = AttemptKey.of(failed)._replace(attempt=retry.attempt)
    tell(session, key, "attempt_scheduled", due_at=retry.due_at.isoformat())
    return AttemptWakeUp(key, failed.channel, retry.due_at)


def _move(session: Session, execution: Execution, decision: Decision, actor_id: UUID | None) -> bool:
    came_from = ExecutionStatus(execution.status)
    to = decision.to or came_from
    if not transitions.move_execution(session, execution.id, came_from, to, actor_id):
        return False
    tell(session, execution.id, to.value, actor_id=actor_id, came_from=came_from.value)
    return True
