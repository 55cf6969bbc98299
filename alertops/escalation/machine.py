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

    Acknowledge, Resolve, Cancel ─────────────────▶ cancel what waits; or refuse; or nothing to do
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alertops.escalation.backoff import pause_before
from alertops.escalation.decision import (
    BringForward,
    CancelWaiting,
    ClaimAttempt,
    Decision,
    Effect,
    EndAttempt,
    FireStep,
    PlanStep,
    Reason,
    RetryAttempt,
    WakeAgain,
)
from alertops.escalation.events import (
    Acknowledge,
    AttemptEnded,
    AttemptWoken,
    Cancel,
    Event,
    LeaseExpired,
    NobodyToTell,
    Progress,
    Resolve,
    StepWoken,
)
from alertops.escalation.flow import Flow, Node, OnFailure, OnUnknown
from alertops.escalation.plan import planned_step
from alertops.escalation.states import TERMINAL, UNFINISHED, AttemptStatus, ExecutionStatus, StepStatus

# A message that takes its worker down with it each time must not be claimed for ever.
MAX_CLAIMS = 10

_ANSWERS: dict[type[Acknowledge | Resolve | Cancel], ExecutionStatus] = {
    Acknowledge: ExecutionStatus.ACKNOWLEDGED,
    Resolve: ExecutionStatus.RESOLVED,
    Cancel: ExecutionStatus.CANCELLED,
}


@dataclass(frozen=True)
class State:
    """What is known of an execution, read under its row lock."""

    status: ExecutionStatus
    flow: Flow
    anchor_at: datetime

    @property
    def running(self) -> bool:
        return self.status is ExecutionStatus.RUNNING

    def node_of(self, step: int) -> Node:
        return self.flow.nodes[(step - 1) % len(self.flow.nodes)]


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
        case Acknowledge() | Resolve() | Cancel():
            return _answer(state.status, _ANSWERS[type(event)])


def _step_woken(state: State, event: StepWoken, now: datetime) -> Decision:
    if not state.running or event.status is not StepStatus.WAITING:
        return Decision(Reason.STALE)
    if event.due_at > now:
        return Decision(Reason.EARLY, (WakeAgain(event.due_at),))
    following = planned_step(state.flow, state.anchor_at, event.step + 1)
    plan_next: tuple[Effect, ...] = (PlanStep(following),) if following else ()
    return Decision(Reason.DUE, (FireStep(event.step), *plan_next))


def _attempt_woken(state: State, event: AttemptWoken, now: datetime) -> Decision:
    if event.status not in UNFINISHED:
        return Decision(Reason.STALE)
    if event.status is AttemptStatus.SENDING:
        if event.lease_until is not None and event.lease_until > now:
            return Decision(Reason.LEASED, (WakeAgain(event.lease_until),))
        return Decision(Reason.EXPIRED)
    if not state.running:
        return Decision(Reason.STALE, (EndAttempt(AttemptStatus.CANCELLED),))
    if event.due_at > now:
        return Decision(Reason.EARLY, (WakeAgain(event.due_at),))
    return Decision(Reason.DUE, (ClaimAttempt(may_repeat=event.may_repeat),))


def _lease_expired(state: State, event: LeaseExpired, now: datetime) -> Decision:
    # An earlier claim, or an earlier attempt, may have been transmitted even if this one was not.
    uncertain = event.transmitted or event.may_repeat
    if not state.running:
        end = AttemptStatus.UNKNOWN if uncertain else AttemptStatus.CANCELLED
        return Decision(Reason.STALE, (EndAttempt(end),))
    held = event.transmitted and state.node_of(event.step).on_unknown is OnUnknown.HOLD
    if held or event.claims >= MAX_CLAIMS:
        end = AttemptStatus.UNKNOWN if uncertain else AttemptStatus.FAILED
        settled = _settle_target(state, event.step, event.progress, now)
        reason = Reason.HELD if held else Reason.GAVE_UP
        return Decision(reason, (EndAttempt(end), *settled.effects), settled.to)
    if event.transmitted:
        return Decision(Reason.RESEND, (ClaimAttempt(may_repeat=True),))
    return Decision(Reason.RECLAIM, (ClaimAttempt(may_repeat=event.may_repeat),))


def _attempt_ended(state: State, event: AttemptEnded, now: datetime) -> Decision:
    ended = EndAttempt(_as_recorded(event))
    if not state.running:
        return Decision(Reason.STALE, (ended,))
    if event.outcome is AttemptStatus.DELIVERED:
        settled = _settle(state, event.step, event.progress, now, escalate=False)
        return Decision(Reason.REACHED, (ended, *settled.effects), settled.to)
    node = state.node_of(event.step)
    held = event.outcome is AttemptStatus.UNKNOWN and node.on_unknown is OnUnknown.HOLD
    if not event.permanent and not held and event.attempt < node.retry.max_attempts:
        due_at = now + pause_before(node.retry, event.attempt + 1, event.jitter)
        may_repeat = event.may_repeat or event.outcome is AttemptStatus.UNKNOWN
        return Decision(Reason.RETRY, (ended, RetryAttempt(event.attempt + 1, due_at, may_repeat)))
    settled = _settle_target(state, event.step, event.progress, now)
    return Decision(settled.reason, (ended, *settled.effects), settled.to)


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


def _answer(status: ExecutionStatus, to: ExecutionStatus) -> Decision:
    """Somebody takes it, or says that it is over or not wanted: what waits is cancelled. Repeat it freely."""
    if status is to:
        return Decision(Reason.ALREADY)
    if status in TERMINAL:
        return Decision(Reason.REFUSED)
    return Decision(Reason.ANSWERED, (CancelWaiting(),), to)
