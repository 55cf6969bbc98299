"""What people ask of an execution: from which states, what follows, and why not.

::

                 running        acknowledged    snoozed         exhausted       resolved  cancelled
    acknowledge  ▶ acknowledged  already        ▶ acknowledged  ▶ acknowledged  ✗         ✗
    resolve      ▶ resolved     ▶ resolved      ▶ resolved      ▶ resolved      already   ✗
    cancel       ▶ cancelled    ▶ cancelled     ▶ cancelled     ▶ cancelled     ✗         already
    snooze       ▶ snoozed      ▶ snoozed       until then      ▶ snoozed       ✗         ✗
    unsnooze     already         ✗              ▶ running        ✗              ✗         ✗
    escalate     fires now      ▶ running       ▶ running        ✗              ✗         ✗
    reassign     another leg    ▶ running       ▶ running       ▶ running       ✗         ✗
    rebase       planned anew   for later       for later        ✗              ✗         ✗

The same table, as it comes out of the machine, is in `docs/operations.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from alertops.escalation.decision import (
    BringForward,
    CancelStep,
    CancelTimers,
    CancelWaiting,
    Decision,
    Effect,
    PlanStep,
    Reason,
    ReplanStep,
    SetCourse,
    SetTimer,
)
from alertops.escalation.events import (
    Acknowledge,
    Cancel,
    Escalate,
    Operation,
    Reassign,
    Rebase,
    Resolve,
    Snooze,
    Unsnooze,
)
from alertops.escalation.flow import Flow, OnFailure
from alertops.escalation.plan import (
    Course,
    Position,
    course_through,
    find_firing,
    next_position,
    plan_step,
    positions,
)
from alertops.escalation.state import State
from alertops.escalation.states import TERMINAL, ExecutionStatus, TimerKind

_RUNNING, _ACKNOWLEDGED, _SNOOZED, _EXHAUSTED = _OPEN = (
    ExecutionStatus.RUNNING,
    ExecutionStatus.ACKNOWLEDGED,
    ExecutionStatus.SNOOZED,
    ExecutionStatus.EXHAUSTED,
)
# Where an operation does something, or has been done already. Everywhere else it is refused.
POSSIBLE: Mapping[type[Operation], frozenset[ExecutionStatus]] = {
    Acknowledge: frozenset(_OPEN),
    Resolve: frozenset({*_OPEN, ExecutionStatus.RESOLVED}),
    Cancel: frozenset({*_OPEN, ExecutionStatus.CANCELLED}),
    Snooze: frozenset(_OPEN),
    Unsnooze: frozenset({_RUNNING, _SNOOZED}),
    Escalate: frozenset({_RUNNING, _ACKNOWLEDGED, _SNOOZED}),
    Reassign: frozenset(_OPEN),
    Rebase: frozenset({_RUNNING, _ACKNOWLEDGED, _SNOOZED}),
}
# What is over can be done again, as another execution.
REPLAYABLE = frozenset({_EXHAUSTED, *TERMINAL})

_ALREADY = Decision(Reason.ALREADY)
_REFUSED = Decision(Reason.REFUSED)
_ENDS: dict[type[Resolve | Cancel], ExecutionStatus] = {
    Resolve: ExecutionStatus.RESOLVED,
    Cancel: ExecutionStatus.CANCELLED,
}
_UNTIL_IT_COMES_BACK = CancelTimers((TimerKind.ACK_TIMEOUT, TimerKind.SNOOZE))


def operate(state: State, operation: Operation, now: datetime) -> Decision:
    """What is to be done when a person asks for this; `ALREADY` and `REFUSED` change nothing."""
    return _do(state, operation, now) if state.status in POSSIBLE[type(operation)] else _REFUSED


def _do(state: State, operation: Operation, now: datetime) -> Decision:
    match operation:
        case Acknowledge():
            return _acknowledge(state, now)
        case Resolve() | Cancel():
            return end(state, _ENDS[type(operation)], Reason.ANSWERED)
        case Snooze():
            return _snooze(state, operation.until)
        case Unsnooze():
            return _unsnooze(state, now)
        case Escalate():
            return _escalate(state, operation.step, now)
        case Reassign():
            return _reassign(state, operation, now)
        case Rebase():
            return _rebase(state, operation, now)


def possible(status: ExecutionStatus) -> list[str]:
    """The names of the operations that are not refused in this state, in the order of the table."""
    names = [operation.__name__.lower() for operation, where in POSSIBLE.items() if status in where]
    return [*names, "replay"] if status in REPLAYABLE else names


def end(state: State, to: ExecutionStatus, reason: Reason) -> Decision:
    """It is over, or not wanted: nothing more is waited for."""
    if state.status is to:
        return _ALREADY
    return Decision(reason, (CancelWaiting(), CancelTimers(tuple(TimerKind))), to)


def come_back(state: State, at: datetime, reason: Reason) -> Decision:
    """It is running again: the node that fired last fires again, and the flow goes on from there."""
    return _resume(state, _place_to_come_back_to(state), at, reason)


def _acknowledge(state: State, now: datetime) -> Decision:
    if state.status is _ACKNOWLEDGED:
        return _ALREADY
    timeout = state.flow.ack_timeout_seconds
    timer = () if timeout is None else (SetTimer(TimerKind.ACK_TIMEOUT, now + timedelta(seconds=timeout)),)
    effects = (CancelWaiting(), CancelTimers((TimerKind.SNOOZE,)), *timer)
    return Decision(Reason.ANSWERED, effects, ExecutionStatus.ACKNOWLEDGED)


def _snooze(state: State, until: datetime) -> Decision:
    if state.status is _SNOOZED and state.snoozed_until == until:
        return _ALREADY
    effects = (CancelWaiting(), _UNTIL_IT_COMES_BACK, SetTimer(TimerKind.SNOOZE, until))
    return Decision(Reason.ANSWERED, effects, ExecutionStatus.SNOOZED)


def _unsnooze(state: State, now: datetime) -> Decision:
    if state.running:
        return _ALREADY
    return come_back(state, now, Reason.UNSNOOZED)


def _escalate(state: State, step: int, now: datetime) -> Decision:
    """The delays after it count from now, as if it had been due now."""
    leg = state.leg
    if state.first_step <= step <= leg.last_fired:
        return _ALREADY
    if step != next_step(state):
        return _REFUSED
    if not state.running:
        place = next_position(state.flow, frozenset(leg.fired))
        return _REFUSED if place is None else _resume(state, place, now, Reason.ESCALATED)
    waiting = leg.waiting
    if waiting is None or waiting.due_at <= now:
        return _ALREADY
    stands_at = find_firing(state.flow, waiting.firing)
    # A node that comes back once more, out of the order of the flow, has its next ones where they were.
    course = state.course if stands_at is None else course_through(state.flow, stands_at, now)
    return Decision(Reason.ESCALATED, (SetCourse(course, step + 1), BringForward(step, now)))


def next_step(state: State) -> int | None:
    """The number of the step that comes next; None when there is none to come."""
    leg = state.leg
    if leg.waiting is not None:
        return leg.waiting.number
    if next_position(state.flow, frozenset(leg.fired)) is None:
        return None
    return leg.last_number + 1


def _reassign(state: State, reassign: Reassign, now: datetime) -> Decision:
    """The next leg: another flow from its beginning, whatever has become of the one before."""
    if reassign.same and state.running:
        return _ALREADY
    flow, course = reassign.flow, Course(now, now)
    first = plan_step(flow, course, Position(0, 0), state.leg.last_number + 1)
    effects: tuple[Effect, ...] = (
        CancelWaiting(),
        _UNTIL_IT_COMES_BACK,
        *_resolve_timer(state, flow, now, now),
        SetCourse(course, first.number),
        PlanStep(first),
    )
    return Decision(Reason.REASSIGNED, effects, None if state.running else ExecutionStatus.RUNNING)


def _rebase(state: State, rebase: Rebase, now: datetime) -> Decision:
    """What has fired stays; what waits is planned anew, from the same anchor."""
    course = Course(state.course.anchor_at, now)
    timer = _resolve_timer(state, rebase.flow, state.started_at, now)
    if not state.running:
        return Decision(Reason.REBASED, (*timer, SetCourse(course, state.leg.last_number + 1)))
    step, goes_on = _replanned(state, rebase, course, now)
    over = not goes_on and not rebase.open_attempts
    waiting = state.leg.waiting
    from_step = state.leg.last_number + 1 if waiting is None else waiting.number
    to = _EXHAUSTED if over else None
    return Decision(Reason.REBASED, (*timer, SetCourse(course, from_step), *step), to)


def _replanned(
    state: State, rebase: Rebase, course: Course, now: datetime
) -> tuple[tuple[Effect, ...], bool]:
    """What becomes of the step that waits, and whether one does then."""
    flow, waiting = rebase.flow, state.leg.waiting
    place = next_position(flow, frozenset(state.leg.fired))
    if place is None:
        return (() if waiting is None else (CancelStep(waiting.number),)), False
    if waiting is None:
        return (PlanStep(plan_step(flow, course, place, state.leg.last_number + 1)),), True
    planned = plan_step(flow, course, place, waiting.number)
    # What is due already does not wait again; nor does what comes in its place, if nobody was told before it.
    goes_on = waiting.firing == planned.firing or _nobody_was_told(state, rebase)
    is_due = waiting.due_at <= now and goes_on
    return (ReplanStep(planned, waiting.due_at if is_due else planned.due_at),), True


def _nobody_was_told(state: State, rebase: Rebase) -> bool:
    """By the step that fired last, so that its node has whatever comes next come at once."""
    fired = state.leg.last_fired
    return fired > 0 and not rebase.reached and state.node_of(fired).on_failure is OnFailure.ESCALATE


def _resolve_timer(state: State, flow: Flow, since: datetime, now: datetime) -> tuple[Effect, ...]:
    """When it is taken to be over, if another flow says otherwise than the one before."""
    after = flow.resolve_after_seconds
    if after == state.flow.resolve_after_seconds and since == state.started_at:
        return ()
    cancel = CancelTimers((TimerKind.RESOLVE,))
    if after is None:
        return (cancel,)
    return cancel, SetTimer(TimerKind.RESOLVE, max(since + timedelta(seconds=after), now))


def _place_to_come_back_to(state: State) -> Position:
    """Where it was silenced; or, when that is in the flow no more, what comes next; or else its end."""
    leg = state.leg
    if leg.fired:
        stands_at = find_firing(state.flow, leg.fired[-1])
        if stands_at is not None:
            return stands_at
    return next_position(state.flow, frozenset(leg.fired)) or list(positions(state.flow))[-1]


def _resume(state: State, place: Position, at: datetime, reason: Reason) -> Decision:
    course = course_through(state.flow, place, at)
    step = plan_step(state.flow, course, place, state.leg.last_number + 1)
    effects = (_UNTIL_IT_COMES_BACK, SetCourse(course, step.number), PlanStep(step))
    return Decision(reason, effects, ExecutionStatus.RUNNING)
