"""decide(state, event, now): which transition an escalation makes, with which effects, and why.

::

    StepWoken ──── not running, or not waiting ──▶ stale
        │────────── due later ───────────────────▶ early: wake again at the due time
        └────────── due ─────────────────────────▶ fire it; plan the next step

    NobodyToTell ─────────────────────────────────▶ the next step is brought forward, or exhausted

    AttemptWoken ─ finished already ─────────────▶ stale
        │────────── not running ─────────────────▶ close it, if its sender is gone
        │────────── due later / leased ──────────▶ early / leased: wake again then
        └────────── due ─────────────────────────▶ claim it

    LeaseExpired ─ never transmitted ────────────▶ claim it again
        │────────── transmitted, resend ─────────▶ claim it again; it may be a repeat
        └────────── transmitted, hold ───────────▶ unknown; go on as AttemptEnded does

    AttemptEnded ─ may pass, attempts left ──────▶ schedule the next attempt
        └────────── else ────────────────────────▶ the target is settled; when the step is settled
                                                   and reached nobody, the next one is brought
                                                   forward; when nothing is left, exhausted

    TimerWoken ── cancelled, or fired already ────▶ stale
        │────────── due later ───────────────────▶ early: wake again at the due time
        └────────── due ─────────────────────────▶ it comes back, or is resolved

What people ask for, acknowledge, snooze, escalate and the rest, is decided in `operations.py`.
"""

from __future__ import annotations

from datetime import datetime

from alertops.escalation.backoff import retry_due_at
from alertops.escalation.decision import (
    BringForward,
    ClaimAttempt,
    Decision,
    EndAttempt,
    FireStep,
    PlanStep,
    Reason,
    RetryAttempt,
    WakeAgain,
)
from alertops.escalation.events import (
    AttemptEnded,
    AttemptWoken,
    Event,
    LeaseExpired,
    NobodyToTell,
    Progress,
    StepWoken,
    TimerWoken,
)
from alertops.escalation.flow import Node, OnFailure, OnUnknown
from alertops.escalation.operations import come_back, end, operate
from alertops.escalation.plan import next_position, plan_step
from alertops.escalation.state import State
from alertops.escalation.states import (
    TERMINAL,
    UNFINISHED,
    AttemptStatus,
    ExecutionStatus,
    StepStatus,
    TimerKind,
    TimerStatus,
)

# A message that takes its worker down with it each time must not be claimed for ever.
MAX_CLAIMS = 10


def decide(state: State, event: Event, now: datetime) -> Decision:
    """Pure: the same state, event and time always give the same decision."""
    match event:
        case StepWoken():
            return _step_woken(state, event, now)
        case NobodyToTell():
            return _settle(state, event.step, event.progress, now, escalate=True)
        case AttemptWoken():
            return _attempt_woken(state, event, now)
        case LeaseExpired():
            return _lease_expired(state, event, now)
        case AttemptEnded():
            return _attempt_ended(state, event, now)
        case TimerWoken():
            return _timer_woken(state, event, now)
        case _:
            return operate(state, event, now)


def _step_woken(state: State, event: StepWoken, now: datetime) -> Decision:
    if not state.running or event.status is not StepStatus.WAITING:
        return Decision(Reason.STALE)
    if event.due_at > now:
        return Decision(Reason.EARLY, (WakeAgain(event.due_at),))
    place = next_position(state.flow, {*state.leg.fired, event.firing})
    if place is None:
        return Decision(Reason.DUE, (FireStep(event.step),))
    following = plan_step(state.flow, state.course, place, event.step + 1)
    return Decision(Reason.DUE, (FireStep(event.step), PlanStep(following)))


def _timer_woken(state: State, event: TimerWoken, now: datetime) -> Decision:
    if event.status is not TimerStatus.WAITING:
        return Decision(Reason.STALE)
    if event.due_at > now:
        return Decision(Reason.EARLY, (WakeAgain(event.due_at),))
    # Anchored: when it comes back does not depend on when the wake-up was heard.
    match event.kind, state.status:
        case TimerKind.ACK_TIMEOUT, ExecutionStatus.ACKNOWLEDGED:
            return come_back(state, event.due_at, Reason.ACK_TIMED_OUT)
        case TimerKind.SNOOZE, ExecutionStatus.SNOOZED:
            return come_back(state, event.due_at, Reason.SNOOZE_OVER)
        case TimerKind.RESOLVE, status if status not in TERMINAL:
            return end(state, ExecutionStatus.RESOLVED, Reason.RESOLVED_BY_TIME)
        case _:
            return Decision(Reason.STALE)


def _attempt_woken(state: State, event: AttemptWoken, now: datetime) -> Decision:
    if event.status not in UNFINISHED:
        return Decision(Reason.STALE)
    if event.status is AttemptStatus.SENDING:
        if event.lease_until is not None and event.lease_until > now:
            return Decision(Reason.LEASED, (WakeAgain(event.lease_until),))
        return Decision(Reason.EXPIRED)
    if not state.runs(event.step):
        return Decision(Reason.STALE, (EndAttempt(AttemptStatus.CANCELLED),))
    if event.due_at > now:
        return Decision(Reason.EARLY, (WakeAgain(event.due_at),))
    return Decision(Reason.DUE, (ClaimAttempt(may_repeat=event.may_repeat),))


def _lease_expired(state: State, event: LeaseExpired, now: datetime) -> Decision:
    # An earlier claim, or an earlier attempt, may have been transmitted even if this one was not.
    uncertain = event.transmitted or event.may_repeat
    if not state.runs(event.step):
        outcome = AttemptStatus.UNKNOWN if uncertain else AttemptStatus.CANCELLED
        return _left_behind(state, event.step, EndAttempt(outcome), event.progress, now)
    held = event.transmitted and state.node_of(event.step).on_unknown is OnUnknown.HOLD
    if held or event.claims >= MAX_CLAIMS:
        outcome = AttemptStatus.UNKNOWN if uncertain else AttemptStatus.FAILED
        settled = _settle_target(state, event.step, event.progress, now)
        reason = Reason.HELD if held else Reason.GAVE_UP
        return Decision(reason, (EndAttempt(outcome), *settled.effects), settled.to)
    if event.transmitted:
        return Decision(Reason.RESEND, (ClaimAttempt(may_repeat=True),))
    return Decision(Reason.RECLAIM, (ClaimAttempt(may_repeat=event.may_repeat),))


def _attempt_ended(state: State, event: AttemptEnded, now: datetime) -> Decision:
    ended = EndAttempt(_as_recorded(event))
    if not state.runs(event.step):
        return _left_behind(state, event.step, ended, event.progress, now)
    if event.outcome is AttemptStatus.DELIVERED:
        settled = _settle(state, event.step, event.progress, now, escalate=False)
        return Decision(Reason.REACHED, (ended, *settled.effects), settled.to)
    retry = _retry(state.node_of(event.step), event, now)
    if retry is not None:
        return Decision(Reason.RETRY, (ended, retry))
    settled = _settle_target(state, event.step, event.progress, now)
    return Decision(settled.reason, (ended, *settled.effects), settled.to)


def _retry(node: Node, event: AttemptEnded, now: datetime) -> RetryAttempt | None:
    """The next attempt, when one can help, none is being risked, and there is one left."""
    uncertain = event.outcome is AttemptStatus.UNKNOWN
    if event.permanent or (uncertain and node.on_unknown is OnUnknown.HOLD):
        return None
    number = event.attempt + 1
    due_at = retry_due_at(
        node.retry,
        number,
        event.jitter,
        began_at=event.began_at,
        now=now,
        not_before_seconds=event.not_before_seconds,
    )
    return None if due_at is None else RetryAttempt(number, due_at, event.may_repeat or uncertain)


def _left_behind(state: State, step: int, ended: EndAttempt, progress: Progress, now: datetime) -> Decision:
    """An attempt that nobody waits for any more ends; the execution may have waited for nothing else."""
    settled = _settle(state, step, progress, now, escalate=False)
    return Decision(Reason.STALE, (ended,), settled.to)


def _as_recorded(event: AttemptEnded) -> AttemptStatus:
    """What may have arrived by an earlier claim or attempt is not called failed, nor cancelled."""
    if event.may_repeat and event.outcome is not AttemptStatus.DELIVERED:
        return AttemptStatus.UNKNOWN
    return event.outcome


def _settle_target(state: State, step: int, progress: Progress, now: datetime) -> Decision:
    """A target could not be reached, and no attempt at it is left."""
    unreached = not progress.reached and not progress.open_in_step
    escalate = unreached and state.node_of(step).on_failure is OnFailure.ESCALATE
    return _settle(state, step, progress, now, escalate=escalate)


def _settle(state: State, step: int, progress: Progress, now: datetime, *, escalate: bool) -> Decision:
    """Nothing more happens at this target: bring the next step forward, or end, or just go on."""
    if not state.running:
        return Decision(Reason.STALE)
    waiting = progress.waiting
    if waiting is None:
        if progress.open_in_step or progress.open_elsewhere:
            return Decision(Reason.SETTLED)
        return Decision(Reason.EXHAUSTED, (), ExecutionStatus.EXHAUSTED)
    if escalate and waiting.number == step + 1 and waiting.due_at > now:
        return Decision(Reason.UNREACHED, (BringForward(waiting.number, now),))
    return Decision(Reason.SETTLED)
