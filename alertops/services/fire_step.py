"""A step fires: once, not before it is due, and with its successor in the same transaction.

::

    wake-up ─▶ lock ─▶ decide ─┬─ stale: leave
                               ├─ early: wake again for what remains
                               └─ due:   fired; recipient -> attempts; next step waiting ─▶ commit ─▶ dispatch
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from alertops.escalation.decision import Reason
from alertops.escalation.events import NobodyToTell, StepWoken
from alertops.escalation.machine import decide
from alertops.escalation.states import StepStatus
from alertops.faults import Point, reach
from alertops.services import transitions
from alertops.services.apply import apply
from alertops.services.dispatch import AttemptWakeUp, Dispatcher, StepWakeUp, WakeUp
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.lock import firing_of
from alertops.services.locked import LockedStep
from alertops.services.locked_step import ToFire, lock_to_fire
from alertops.services.progress import progress_of
from alertops.services.recipients import resolve_recipient
from alertops.services.resolution import Target
from alertops.services.tell_resolution import tell_resolution
from alertops.services.transitions import NewAttempt

log = structlog.get_logger(__name__)


def fire_step(
    session: Session, dispatcher: Dispatcher, key: StepKey, *, confirmed_only: bool = False
) -> Reason:
    """Fire the step if it is due and waiting; any number of wake-ups fire it once.

    With `confirmed_only`, addresses of others than members are told nothing before they have agreed to it.
    """
    seen = lock_to_fire(session, key)
    if seen is None:
        return _leave(session, Reason.STALE)
    step, moment = seen.step, seen.moment
    decision = decide(seen.state, _woken(step), moment.at)
    if decision.reason is Reason.EARLY:
        # Nothing was written. A commit of a row lock alone would wait for the disk all the same.
        session.rollback()
        dispatcher.dispatch(session, [StepWakeUp(key, step.due_at)], moment=moment)
        return decision.reason
    applied = apply(session, seen.execution, decision)
    if decision.reason is not Reason.DUE or not applied.ok:
        return _leave(session, Reason.STALE)
    wake_ups = _tell_recipient(session, key, seen, confirmed_only=confirmed_only)
    reach(Point.BEFORE_FIRE, session)
    session.commit()
    reach(Point.AFTER_FIRE, session)
    log.info("step_fired", lateness_ms=round((moment.at - step.due_at).total_seconds() * 1000, 1))
    dispatcher.dispatch(session, [*applied.wake_ups, *wake_ups], moment=moment)
    return decision.reason


def _woken(step: LockedStep) -> StepWoken:
    return StepWoken(step.number, firing_of(step), StepStatus(step.status), step.due_at)


def _leave(session: Session, reason: Reason) -> Reason:
    session.rollback()
    return reason


def _tell_recipient(session: Session, key: StepKey, seen: ToFire, *, confirmed_only: bool) -> list[WakeUp]:
    """Resolve the recipient; one attempt a target, or on to the next step when there is nobody."""
    step = seen.step
    node = seen.state.node_of(step.number)
    resolved = resolve_recipient(
        session,
        seen.execution.team_id,
        node.recipient,
        at=step.due_at,
        severity=seen.execution.severity,
        confirmed_only=confirmed_only,
        firing=True,
    )
    tell_resolution(session, key, node, resolved)
    if resolved.targets:
        numbered = enumerate(resolved.targets, start=1)
        attempts = [_attempt_at(target, key, number, step.due_at) for number, target in numbered]
        transitions.insert_attempts(session, attempts)
        return [AttemptWakeUp(attempt.key, attempt.channel, attempt.due_at) for attempt in attempts]
    event = NobodyToTell(step.number, progress_of(session, key))
    decision = decide(seen.state, event, seen.moment.at)
    return apply(session, seen.execution, decision).wake_ups


def _attempt_at(target: Target, step: StepKey, number: int, step_due_at: datetime) -> NewAttempt:
    return NewAttempt(
        AttemptKey(*step, number, 1),
        target.channel,
        target.address,
        target.outsider_id,
        target.user_id,
        due_at=step_due_at + timedelta(seconds=target.after_seconds),
    )
