"""An engine in memory for the machine, which checks every effect that it applies.

It does what the services do (an outcome counts only from the holder of the newest claim), but keeps books
of its own: what may have been received, and what was fired when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from alertops.escalation.decision import (
    BringForward,
    CancelStep,
    CancelTimers,
    CancelWaiting,
    ClaimAttempt,
    Decision,
    Effect,
    EndAttempt,
    FireStep,
    PlanStep,
    Reason,
    ReplanStep,
    RetryAttempt,
    SetCourse,
    SetTimer,
    WakeAgain,
)
from alertops.escalation.events import (
    AttemptEnded,
    AttemptWoken,
    Due,
    Event,
    LeaseExpired,
    NobodyToTell,
    Operation,
    Progress,
    Reassign,
    Rebase,
    StepWoken,
    TimerWoken,
)
from alertops.escalation.flow import Flow, Node, OnFailure, OnUnknown
from alertops.escalation.machine import MAX_CLAIMS, decide
from alertops.escalation.plan import Course, PlannedStep, next_position, plan
from alertops.escalation.state import Leg, State, WaitingStep
from alertops.escalation.states import (
    TERMINAL,
    UNFINISHED,
    AttemptStatus,
    ExecutionStatus,
    StepStatus,
    TimerKind,
    TimerStatus,
)

ANCHOR = datetime(2024, 2, 28, 23, 30, tzinfo=UTC)
LEASE = timedelta(seconds=15)
FAILURES = (AttemptStatus.FAILED, AttemptStatus.UNKNOWN, AttemptStatus.CANCELLED)
RUNNING = ExecutionStatus.RUNNING

Target = tuple[int, int]
AttemptId = tuple[int, int, int]


@dataclass
class StepRow:
    due_at: datetime
    planned: PlannedStep
    node: Node
    status: StepStatus = StepStatus.WAITING
    fired_at: datetime | None = None


@dataclass
class AttemptRow:
    due_at: datetime
    may_repeat: bool = False
    status: AttemptStatus = AttemptStatus.SCHEDULED
    claims: int = 0
    lease_until: datetime | None = None
    transmitted: bool = False

    @property
    def open(self) -> bool:
        return self.status in UNFINISHED


@dataclass
class Engine:
    """One execution in memory: rows, a clock, and effects that are checked as they are applied."""

    flow: Flow
    now: datetime = ANCHOR
    status: ExecutionStatus = RUNNING
    steps: dict[int, StepRow] = field(default_factory=dict)
    attempts: dict[AttemptId, AttemptRow] = field(default_factory=dict)
    timers: dict[TimerKind, datetime] = field(default_factory=dict)
    perhaps_received: set[Target] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.course = Course(ANCHOR)
        self.first_step = 1
        self.came_back = 0  # how often a node of this leg was to fire once more
        self.planned = list(plan(self.flow, self.course))
        self.steps[1] = self._row(self.planned[0])
        if self.flow.resolve_after_seconds is not None:
            self.timers[TimerKind.RESOLVE] = ANCHOR + timedelta(seconds=self.flow.resolve_after_seconds)

    def _row(self, planned: PlannedStep) -> StepRow:
        return StepRow(planned.due_at, planned, self.flow.nodes[planned.node_index])

    @property
    def state(self) -> State:
        return State(
            self.status,
            self.flow,
            self.course,
            ANCHOR,
            first_step=self.first_step,
            snoozed_until=self.timers.get(TimerKind.SNOOZE),
            nodes={number: row.node for number, row in self.steps.items()},
            leg=self.leg,
        )

    @property
    def leg(self) -> Leg:
        """What has become of what is run now."""
        fired = [number for number in self.fired if number >= self.first_step]
        waiting = [
            WaitingStep(number, self.steps[number].due_at, self.steps[number].planned.firing)
            for number in self.waiting
        ]
        return Leg(
            tuple(self.steps[number].planned.firing for number in fired),
            waiting[0] if waiting else None,
            fired[-1] if fired else 0,
            max(self.steps),
        )

    @property
    def waiting(self) -> list[int]:
        return [number for number, row in self.steps.items() if row.status is StepStatus.WAITING]

    @property
    def fired(self) -> list[int]:
        return [number for number, row in self.steps.items() if row.status is StepStatus.FIRED]

    def node_of(self, step: int) -> Node:
        return self.steps[step].node

    def open_attempts(self) -> list[AttemptId]:
        return [key for key, row in self.attempts.items() if row.open]

    def progress(self, step: int, but: AttemptId | None = None) -> Progress:
        rows = [(key[0] == step, row) for key, row in self.attempts.items() if key != but]
        return Progress(
            waiting=next((Due(n, self.steps[n].due_at) for n in self.waiting), None),
            reached=any(here and row.status is AttemptStatus.DELIVERED for here, row in rows),
            open_in_step=sum(here and row.open for here, row in rows),
            open_elsewhere=sum(not here and row.open for here, row in rows),
        )

    def die(self, key: AttemptId, *, transmitted: bool) -> None:
        """The sender is gone, before or after it transmitted, and so is its lease."""
        if transmitted:
            self.transmit(key)
        self.now += LEASE

    def wake_step(self, step: int, targets: int) -> Reason:
        row = self.steps[step]
        decision = self._do(StepWoken(step, row.planned.firing, row.status, row.due_at))
        if decision.reason is Reason.DUE:
            for target in range(1, targets + 1):
                self.attempts[step, target, 1] = AttemptRow(row.due_at)
            if not targets:
                self._do(NobodyToTell(step, self.progress(step)))
        return decision.reason

    def wake_attempt(self, key: AttemptId) -> Reason:
        row = self.attempts[key]
        woken = AttemptWoken(key[0], row.status, row.due_at, row.lease_until, row.may_repeat)
        decision = self._do(woken, key)
        if decision.reason is Reason.EXPIRED:
            if row.transmitted:
                self.perhaps_received.add(key[:2])
            progress = self.progress(key[0], key)
            expired = LeaseExpired(key[0], row.claims, row.transmitted, row.may_repeat, progress)
            decision = self._do(expired, key)
        return decision.reason

    def transmit(self, key: AttemptId) -> None:
        row = self.attempts[key]
        if self.state.runs(key[0]) and row.lease_until is not None and row.lease_until > self.now:
            row.transmitted = True

    def end(self, key: AttemptId, outcome: AttemptStatus, permanent: bool, jitter: float) -> Reason:
        row = self.attempts[key]
        if outcome is AttemptStatus.UNKNOWN:
            self.perhaps_received.add(key[:2])
        progress = self.progress(key[0], key)
        began_at = self.attempts[*key[:2], 1].due_at
        ended = AttemptEnded(key[0], key[2], outcome, permanent, row.may_repeat, jitter, began_at, progress)
        return self._do(ended, key).reason

    def answer(self, operation: Operation) -> Reason:
        """A person asks for something; what is to be run from then on is known before it is planned."""
        state, waited = self.state, self.waiting
        decision = decide(state, operation, self.now)
        if decision.reason in (Reason.REASSIGNED, Reason.REBASED):
            assert isinstance(operation, Reassign | Rebase)
            self.flow = operation.flow
        if decision.reason is Reason.REASSIGNED:
            self.first_step, self.came_back = max(self.steps) + 1, 0
        self._carry_out(decision, None)
        if decision.reason in (Reason.ALREADY, Reason.REFUSED):
            assert (self.status, self.waiting) == (state.status, waited)
        return decision.reason

    def wake_timer(self, kind: TimerKind) -> Reason:
        due_at = self.timers.get(kind)
        status = TimerStatus.CANCELLED if due_at is None else TimerStatus.WAITING
        decision = decide(self.state, TimerWoken(kind, status, due_at or self.now), self.now)
        if decision.reason not in (Reason.STALE, Reason.EARLY):
            del self.timers[kind]
        self._carry_out(decision, None)
        return decision.reason

    def _do(self, event: Event, key: AttemptId | None = None) -> Decision:
        decision = decide(self.state, event, self.now)
        assert decision == decide(self.state, event, self.now), "the same question, the same answer"
        self._carry_out(decision, key)
        return decision

    def _carry_out(self, decision: Decision, key: AttemptId | None) -> None:
        if decision.reason in (Reason.ACK_TIMED_OUT, Reason.SNOOZE_OVER, Reason.UNSNOOZED):
            self.came_back += 1
        to = decision.to or self.status
        assert not (to is RUNNING and self.status in TERMINAL)
        for effect in decision.effects:
            self._apply(effect, key, to)
        if decision.to is not None:
            self._move(decision.to)
        self._check_timers()

    def _move(self, to: ExecutionStatus) -> None:
        assert self.status not in TERMINAL, "what is over stays over"
        if to is ExecutionStatus.EXHAUSTED:
            assert self.status is RUNNING
            assert next_position(self.flow, frozenset(self.leg.fired)) is None, "every node was asked"
            assert not self.open_attempts()
            assert not self.waiting
        self.status = to

    def _check_timers(self) -> None:
        """There is a timer for what it waits for, and for nothing else."""
        kinds = set(self.timers)
        assert (TimerKind.SNOOZE in kinds) == (self.status is ExecutionStatus.SNOOZED)
        assert TimerKind.ACK_TIMEOUT not in kinds or self.status is ExecutionStatus.ACKNOWLEDGED
        assert not kinds or self.status not in TERMINAL

    def _apply(self, effect: Effect, key: Any, to: ExecutionStatus) -> None:  # noqa: C901,PLR0912  one case an effect
        if not isinstance(
            effect, WakeAgain | EndAttempt | CancelWaiting | CancelTimers | SetTimer | SetCourse | CancelStep
        ):
            assert RUNNING in (self.status, to), "silence after an answer"
        match effect:
            case FireStep(step):
                row = self.steps[step]
                assert row.status is StepStatus.WAITING, "a step fires once"
                row.status, row.fired_at = StepStatus.FIRED, self.now
            case PlanStep(planned):
                assert planned.number == max(self.steps) + 1
                assert not self.waiting
                self.steps[planned.number] = self._row(planned)
            case ReplanStep(planned, due_at):
                assert self.waiting == [planned.number]
                assert due_at <= planned.due_at
                self.steps[planned.number] = self._row(planned)
                self.steps[planned.number].due_at = due_at
            case CancelStep(step):
                assert self.waiting == [step]
                self.steps[step].status = StepStatus.CANCELLED
            case SetCourse(course, from_step):
                assert from_step in (max(self.steps), max(self.steps) + 1)
                self.course = course
            case SetTimer(kind, due_at):
                assert due_at >= self.now
                assert kind not in self.timers
                self.timers[kind] = due_at
            case CancelTimers(kinds):
                self.timers = {kind: due for kind, due in self.timers.items() if kind not in kinds}
            case WakeAgain(at):
                assert at > self.now, "waking again at once would spin"
            case ClaimAttempt(may_repeat):
                self._claim(key, may_repeat)
            case EndAttempt(outcome):
                assert self.attempts[key].open, "one outcome an attempt"
                self.attempts[key].status = outcome
            case RetryAttempt(number, due_at, may_repeat):
                step, target, ended = key
                assert number == ended + 1 <= self.node_of(step).retry.max_attempts
                assert self.attempts[key].status is not AttemptStatus.DELIVERED
                self._check_repeat(key[:2], may_repeat)
                self.attempts[step, target, number] = AttemptRow(due_at, may_repeat)
            case BringForward(step, due_at):
                assert self.waiting == [step]
                assert due_at <= self.now < self.steps[step].due_at
                if key is not None:
                    self._check_nobody_waits_for(step - 1)
                self.steps[step].due_at = due_at
            case CancelWaiting():
                self._cancel()

    def _claim(self, key: AttemptId, may_repeat: bool) -> None:
        row = self.attempts[key]
        due = row.status is AttemptStatus.SCHEDULED and row.due_at <= self.now
        gone = row.lease_until is not None and row.lease_until <= self.now
        assert due or (row.status is AttemptStatus.SENDING and gone)
        self._check_repeat(key[:2], may_repeat)
        row.status, row.transmitted, row.may_repeat = AttemptStatus.SENDING, False, may_repeat
        row.claims, row.lease_until = row.claims + 1, self.now + LEASE
        assert row.claims <= MAX_CLAIMS

    def _check_repeat(self, target: Target, may_repeat: bool) -> None:
        assert may_repeat == (target in self.perhaps_received), "uncertain is said, and only then"
        if may_repeat:
            assert self.node_of(target[0]).on_unknown is OnUnknown.RESEND, "held is not sent again"

    def _check_nobody_waits_for(self, step: int) -> None:
        told = [row for key, row in self.attempts.items() if key[0] == step]
        assert not any(row.open or row.status is AttemptStatus.DELIVERED for row in told)
        assert not told or self.node_of(step).on_failure is OnFailure.ESCALATE

    def _cancel(self) -> None:
        for step in self.waiting:
            self.steps[step].status = StepStatus.CANCELLED
        for row in self.attempts.values():
            if row.status is AttemptStatus.SCHEDULED:
                row.status = AttemptStatus.CANCELLED

    def next_wake_up(self) -> datetime:
        times = [self.steps[step].due_at for step in self.waiting] + list(self.timers.values())
        for row in map(self.attempts.__getitem__, self.open_attempts()):
            times.append(row.lease_until if row.lease_until and row.claims else row.due_at)
        return min(times)
