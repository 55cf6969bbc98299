"""Carry out the effects of a decision, under the execution's lock, and collect what to wake.

The next thing is always inserted here, in the transaction of the outcome that leads to it: a crash
can lose a wake-up, which recovery repairs, but never the row that it was for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.decision import (
    BringForward,
    CancelStep,
    CancelTimers,
    CancelWaiting,
    Decision,
    Effect,
    FireStep,
    PlanStep,
    Reason,
    ReplanStep,
    RetryAttempt,
    SetCourse,
    SetTimer,
)
from alertops.escalation.states import ExecutionStatus, TimerKind
from alertops.services import transitions
from alertops.services.dispatch import AttemptWakeUp, StepWakeUp, TimerWakeUp, WakeUp
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.lock import Run, revision_run
from alertops.services.locked import LockedAttempt
from alertops.services.timeline import tell
from alertops.services.transitions import NewAttempt


@dataclass(frozen=True)
class Applied:
    """`ok` is false when a guard found that somebody else got there first: roll back and leave."""

    ok: bool
    wake_ups: list[WakeUp]


@dataclass(frozen=True)
class _By:
    """Why the course of an execution changes, and who has it changed, with which words."""

    reason: Reason
    actor_id: UUID | None = None
    said: Mapping[str, Any] = field(default_factory=dict)


def apply(
    session: Session,
    execution: Run,
    decision: Decision,
    *,
    attempt: LockedAttempt | None = None,
    actor_id: UUID | None = None,
    said: Mapping[str, Any] | None = None,
) -> Applied:
    """Apply the effects in order, then the transition of the execution.

    `attempt` is the one that the event was about. Claims, ends and waking again are not effects on
    the escalation but on the caller's own attempt; the caller has carried them out already. `said` is what
    the timeline is to tell beside the transition; beside the change of course, when there is none.
    """
    wake_ups: list[WakeUp] = []
    by = _By(decision.reason) if decision.to else _By(decision.reason, actor_id, said or {})
    for effect in decision.effects:
        woken = _apply_effect(session, execution, effect, attempt, by)
        if woken is None:
            return Applied(False, [])
        wake_ups += woken
    if decision.to is not None and not _move(session, execution, decision, actor_id, said or {}):
        return Applied(False, [])
    return Applied(True, wake_ups)


def _apply_effect(
    session: Session, execution: Run, effect: Effect, attempt: LockedAttempt | None, by: _By
) -> list[WakeUp] | None:
    """The wake-ups that the effect calls for; None when its guard did not hold."""
    match effect:
        case RetryAttempt():
            return [_insert_retry(session, effect, attempt)]
        case SetTimer(kind, due_at):
            timer = transitions.insert_timer(session, execution.id, kind, due_at)
            return [TimerWakeUp(timer, due_at)]
        case CancelTimers(kinds):
            transitions.cancel_timers(session, execution.id, kinds)
            return []
        case SetCourse():
            _set_course(session, execution, effect, by)
            return []
        case CancelWaiting():
            transitions.cancel_waiting_steps(session, execution.id)
            transitions.cancel_scheduled_attempts(session, execution.id)
            return []
        case _:
            return _apply_to_step(session, execution, effect)


def _apply_to_step(session: Session, execution: Run, effect: Effect) -> list[WakeUp] | None:
    revision = revision_run(execution)
    match effect:
        case FireStep(step):
            return [] if transitions.fire_step(session, StepKey(execution.id, step)) else None
        case PlanStep(planned):
            transitions.insert_step(session, execution.id, planned, revision)
            return [StepWakeUp(StepKey(execution.id, planned.number), planned.due_at)]
        case ReplanStep(planned, due_at):
            key = StepKey(execution.id, planned.number)
            if not transitions.replan_step(session, planned, due_at, execution.id, revision):
                return None
            tell(session, key, "step_replanned", node=planned.node_name, due_at=due_at.isoformat())
            return [StepWakeUp(key, due_at)]
        case CancelStep(step):
            return [] if transitions.cancel_step(session, StepKey(execution.id, step)) else None
        case BringForward(step, due_at):
            key = StepKey(execution.id, step)
            if not transitions.bring_step_forward(session, key, due_at):
                return None
            tell(session, key, "step_brought_forward")
            return [StepWakeUp(key, due_at)]
        case _:
            return []


def _set_course(session: Session, execution: Run, effect: SetCourse, by: _By) -> None:
    """Told with all that due times follow from, so that they can be checked long afterwards."""
    course = effect.course
    transitions.set_course(session, execution.id, course)
    facts = {
        "anchor_at": course.anchor_at.isoformat(),
        "not_before_at": course.not_before.isoformat() if course.not_before else None,
        "reason": by.reason.value,
        "from_step": effect.from_step,
        "first_step": execution.first_step,
        "flow_id": str(execution.flow_id),
        "revision": revision_run(execution),
        "definition": execution.definition,
    }
    tell(session, execution.id, "course_changed", actor_id=by.actor_id, **{**by.said, **facts})


def _insert_retry(session: Session, retry: RetryAttempt, failed: LockedAttempt | None) -> WakeUp:
    if failed is None:
        raise ValueError("a retry follows an attempt, and none was given")
    key = AttemptKey.of(failed)._replace(attempt=retry.attempt)
    again = NewAttempt(
        key,
        failed.channel,
        failed.address,
        failed.outsider_id,
        failed.user_id,
        retry.due_at,
        retry.may_repeat,
    )
    transitions.insert_attempts(session, [again])
    tell(session, key, "attempt_scheduled", due_at=retry.due_at.isoformat())
    return AttemptWakeUp(key, failed.channel, retry.due_at)


def _move(
    session: Session,
    execution: Run,
    decision: Decision,
    actor_id: UUID | None,
    said: Mapping[str, Any],
) -> bool:
    came_from = ExecutionStatus(execution.status)
    to = decision.to or came_from
    until = _snoozed_until(decision)
    if not transitions.move_execution(session, execution.id, came_from, to, actor_id, snoozed_until=until):
        return False
    detail: dict[str, Any] = {"came_from": came_from.value, **said}
    if decision.reason is not Reason.ANSWERED:
        detail["reason"] = decision.reason.value
    if until is not None:
        detail["until"] = until.isoformat()
    event = "resumed" if to is ExecutionStatus.RUNNING else to.value
    tell(session, execution.id, event, actor_id=actor_id, **detail)
    return True


def _snoozed_until(decision: Decision) -> datetime | None:
    if decision.to is not ExecutionStatus.SNOOZED:
        return None
    timers = (effect for effect in decision.effects if isinstance(effect, SetTimer))
    return next(timer.due_at for timer in timers if timer.kind is TimerKind.SNOOZE)
