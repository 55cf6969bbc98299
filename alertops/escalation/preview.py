"""What a flow will do, to the second: the machine that decides for real, run in memory from the alert on.

Time moves from one wake-up to the next. Providers answer at once, in one of three ways, and nobody is late:
what is told is what happens if nothing goes wrong but what the question says. Chance only ever shortens the
pauses between attempts; here it does not.

At one and the same moment an answer comes first, then what was to happen by itself, then steps, then
attempts.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from alertops.escalation.decision import (
    BringForward,
    CancelTimers,
    CancelWaiting,
    Decision,
    Effect,
    FireStep,
    PlanStep,
    Reason,
    RetryAttempt,
    SetCourse,
    SetTimer,
)
from alertops.escalation.events import (
    Acknowledge,
    AttemptEnded,
    AttemptWoken,
    NobodyToTell,
    StepWoken,
    TimerWoken,
)
from alertops.escalation.flow import Flow, Node
from alertops.escalation.machine import decide
from alertops.escalation.plan import Course, PlannedStep, Position, plan_step
from alertops.escalation.rows import AttemptRow, Rows, StepRow, Target
from alertops.escalation.state import State
from alertops.escalation.states import (
    AttemptStatus,
    ExecutionStatus,
    StepStatus,
    TimerKind,
    TimerStatus,
)

# A flow may have 500 steps, and each of them many targets that are tried many times: nobody reads all that.
MAX_ENTRIES = 2000


Resolve = Callable[[Node, datetime], Sequence[Target]]
"""Whom a node tells at that time."""


@dataclass(frozen=True)
class WhatIf:
    """What else happens: somebody acknowledges; nodes by id whose sends fail, or end without an answer."""

    acknowledge_at: datetime | None = None
    failing: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Entry:
    """Something that happens, in the words of an execution's timeline."""

    at: datetime
    event: str
    step: int | None = None
    target: int | None = None
    attempt: int | None = None
    node_name: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Preview:
    """All that happens, in order; and how it ends, and when. `truncated` when there is more than is told."""

    start: datetime
    entries: list[Entry]
    status: ExecutionStatus
    ends_at: datetime
    truncated: bool


def preview(flow: Flow, start: datetime, resolve: Resolve, what_if: WhatIf | None = None) -> Preview:
    """Run the flow from this moment; `resolve` says whom each node tells."""
    return _Run(flow, start, resolve, what_if or WhatIf()).to_its_end()


class _Wake(IntEnum):
    """In the order in which they come at one and the same moment."""

    ANSWER = 0
    TIMER = 1
    STEP = 2
    ATTEMPT = 3


class _Run:
    """One execution in memory, and the wake-ups that it waits for."""

    def __init__(self, flow: Flow, start: datetime, resolve: Resolve, what_if: WhatIf) -> None:
        self._flow, self._start, self._now = flow, start, start
        self._resolve, self._what_if = resolve, what_if
        self._status = ExecutionStatus.RUNNING
        self._course = Course(start)
        self._rows = Rows()
        self._timers: dict[TimerKind, datetime] = {}
        self._wakes: list[tuple[datetime, _Wake, tuple[Any, ...]]] = []
        self._entries: list[Entry] = []
        self._ends_at = start

    def to_its_end(self) -> Preview:
        self._begin()
        while self._wakes and len(self._entries) < MAX_ENTRIES:
            at, kind, key = heapq.heappop(self._wakes)
            self._now = max(self._now, at)
            self._woken(kind, key)
        truncated = bool(self._wakes) and len(self._entries) >= MAX_ENTRIES
        return Preview(self._start, self._entries, self._status, self._ends_at, truncated)

    def _begin(self) -> None:
        self._tell("started")
        self._plan(plan_step(self._flow, self._course, Position(0, 0), 1))
        if self._flow.resolve_after_seconds is not None:
            over_at = self._start + timedelta(seconds=self._flow.resolve_after_seconds)
            self._set_timer(TimerKind.RESOLVE, over_at)
        if self._what_if.acknowledge_at is not None:
            self._wake(self._what_if.acknowledge_at, _Wake.ANSWER)

    def _woken(self, kind: _Wake, key: tuple[Any, ...]) -> None:
        match kind:
            case _Wake.ANSWER:
                self._apply(decide(self._state(), Acknowledge(), self._now))
            case _Wake.TIMER:
                self._fire_timer(*key)
            case _Wake.STEP:
                self._fire_step(*key)
            case _Wake.ATTEMPT:
                self._send(key[0], key[1], key[2])

    def _fire_timer(self, kind: TimerKind, due_at: datetime) -> None:
        if self._timers.get(kind) != due_at:
            return
        del self._timers[kind]
        self._apply(decide(self._state(), TimerWoken(kind, TimerStatus.WAITING, due_at), self._now))

    def _fire_step(self, number: int) -> None:
        step = self._rows.steps[number]
        woken = StepWoken(number, step.planned.firing, step.status, step.due_at)
        decision = decide(self._state(), woken, self._now)
        if decision.reason is not Reason.DUE:
            return
        targets = self._resolve(step.node, step.due_at)
        self._tell("step_fired", number, targets=[f"{t.channel}:{t.address}" for t in targets])
        for target, address in enumerate(targets, start=1):
            due_at = max(self._now, step.due_at + timedelta(seconds=address.after_seconds))
            self._attempt((number, target, 1), AttemptRow(address, due_at))
        self._apply(decision)
        if not targets:
            self._tell("nobody_to_tell", number)
            self._apply(decide(self._state(), NobodyToTell(number, self._rows.progress(number)), self._now))

    def _send(self, step: int, target: int, number: int) -> None:
        attempt = self._rows.attempts[step, target, number]
        woken = AttemptWoken(step, attempt.status, attempt.due_at, None, attempt.may_repeat)
        if decide(self._state(), woken, self._now).reason is not Reason.DUE:
            return
        attempt.status = AttemptStatus.SENDING
        key = (step, target, number)
        ended = AttemptEnded(
            step=step,
            attempt=number,
            outcome=self._outcome(self._rows.steps[step].node),
            permanent=False,
            may_repeat=attempt.may_repeat,
            jitter=0.0,
            began_at=self._rows.attempts[step, target, 1].due_at,
            progress=self._rows.progress(step, but=key),
        )
        decision = decide(self._state(), ended, self._now)
        attempt.status = decision.ended_as or ended.outcome
        self._tell(f"attempt_{attempt.status.value}", *key, reason=decision.reason.value)
        self._apply(decision, key)

    def _outcome(self, node: Node) -> AttemptStatus:
        if node.id in self._what_if.failing:
            return AttemptStatus.FAILED
        return AttemptStatus.UNKNOWN if node.id in self._what_if.unknown else AttemptStatus.DELIVERED

    def _apply(self, decision: Decision, key: tuple[int, int, int] | None = None) -> None:
        for effect in decision.effects:
            self._apply_effect(effect, key)
        if decision.to is not None:
            resumed = decision.to is ExecutionStatus.RUNNING
            self._status, self._ends_at = decision.to, self._now
            self._tell("resumed" if resumed else decision.to.value)

    def _apply_effect(self, effect: Effect, key: tuple[int, int, int] | None) -> None:
        match effect:
            case FireStep() | PlanStep() | BringForward():
                self._apply_to_step(effect)
            case RetryAttempt(number, due_at, may_repeat) if key is not None:
                self._retry((key[0], key[1], number), due_at, may_repeat=may_repeat)
            case SetCourse(course):
                self._course = course
            case SetTimer(kind, due_at):
                self._set_timer(kind, due_at)
            case CancelTimers(kinds):
                self._timers = {kind: at for kind, at in self._timers.items() if kind not in kinds}
            case CancelWaiting():
                self._rows.cancel_waiting()
            case _:
                pass

    def _apply_to_step(self, effect: FireStep | PlanStep | BringForward) -> None:
        match effect:
            case FireStep(number):
                self._rows.steps[number].status = StepStatus.FIRED
            case PlanStep(planned):
                self._plan(planned)
            case BringForward(number, due_at):
                self._rows.steps[number].due_at = due_at
                self._tell("step_brought_forward", number)
                self._wake(due_at, _Wake.STEP, number)

    def _plan(self, planned: PlannedStep) -> None:
        node = self._flow.nodes[planned.node_index]
        self._rows.steps[planned.number] = StepRow(planned, node, planned.due_at)
        self._wake(planned.due_at, _Wake.STEP, planned.number)

    def _attempt(self, key: tuple[int, int, int], attempt: AttemptRow) -> None:
        self._rows.attempts[key] = attempt
        self._wake(attempt.due_at, _Wake.ATTEMPT, *key)

    def _retry(self, key: tuple[int, int, int], due_at: datetime, *, may_repeat: bool) -> None:
        target = self._rows.attempts[key[0], key[1], 1].target
        self._attempt(key, AttemptRow(target, due_at, may_repeat))
        self._tell("attempt_scheduled", *key, due_at=due_at.isoformat())

    def _set_timer(self, kind: TimerKind, due_at: datetime) -> None:
        self._timers[kind] = due_at
        self._wake(due_at, _Wake.TIMER, kind, due_at)

    def _wake(self, at: datetime, kind: _Wake, *key: Any) -> None:
        heapq.heappush(self._wakes, (at, kind, key))

    def _tell(
        self,
        event: str,
        step: int | None = None,
        target: int | None = None,
        attempt: int | None = None,
        **detail: Any,
    ) -> None:
        name = None if step is None else self._rows.steps[step].planned.node_name
        self._entries.append(Entry(self._now, event, step, target, attempt, name, detail))

    def _state(self) -> State:
        nodes = {number: step.node for number, step in self._rows.steps.items()}
        return State(self._status, self._flow, self._course, self._start, nodes=nodes, leg=self._rows.leg())
