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
    Event,
    LeaseExpired,
    NobodyToTell,
    Progress,
    Resolve,
    StepWoken,
    WaitingStep,
)
from alertops.escalation.flow import Flow, Node, OnFailure, OnUnknown
from alertops.escalation.machine import MAX_CLAIMS, State, decide
from alertops.escalation.plan import plan, step_count
from alertops.escalation.states import TERMINAL, UNFINISHED, AttemptStatus, ExecutionStatus, StepStatus

ANCHOR = datetime(2024, 2, 28, 23, 30, tzinfo=UTC)
LEASE = timedelta(seconds=15)
FAILURES = (AttemptStatus.FAILED, AttemptStatus.UNKNOWN, AttemptStatus.CANCELLED)
RUNNING = ExecutionStatus.RUNNING

Target = tuple[int, int]
AttemptId = tuple[int, int, int]


@dataclass
class StepRow:
    due_at: datetime
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
    perhaps_received: set[Target] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.planned = list(plan(self.flow, ANCHOR))
        self.steps[1] = StepRow(self.planned[0].due_at)

    @property
    def state(self) -> State:
        return State(self.status, self.flow, ANCHOR)

    @property
    def waiting(self) -> list[int]:
        return [number for number, row in self.steps.items() if row.status is StepStatus.WAITING]

    @property
    def fired(self) -> list[int]:
        return [number for number, row in self.steps.items() if row.status is StepStatus.FIRED]

    def node_of(self, step: int) -> Node:
        return self.flow.nodes[self.planned[step - 1].node_index]

    def open_attempts(self) -> list[AttemptId]:
        return [key for key, row in self.attempts.items() if row.open]

    def progress(self, step: int, but: AttemptId | None = None) -> Progress:
        rows = [(key[0] == step, row) for key, row in self.attempts.items() if key != but]
        return Progress(
            waiting=next((WaitingStep(n, self.steps[n].due_at) for n in self.waiting), None),
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
        decision = self._do(StepWoken(step, row.status, row.due_at))
        if decision.reason is Reason.DUE:
            for target in range(1, targets + 1):
                self.attempts[step, target, 1] = AttemptRow(row.due_at)
            if not targets:
                self._do(NobodyToTell(step, self.progress(step)))
        return decision.reason

    def wake_attempt(self, key: AttemptId) -> Reason:
        row = self.attempts[key]
        woken = AttemptWoken(row.status, row.due_at, row.lease_until, row.may_repeat)
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
        if self.status is RUNNING and row.lease_until is not None and row.lease_until > self.now:
            row.transmitted = True

    def end(self, key: AttemptId, outcome: AttemptStatus, permanent: bool, jitter: float) -> Reason:
        row = self.attempts[key]
        if outcome is AttemptStatus.UNKNOWN:
            self.perhaps_received.add(key[:2])
        progress = self.progress(key[0], key)
        ended = AttemptEnded(key[0], key[2], outcome, permanent, row.may_repeat, jitter, progress)
        return self._do(ended, key).reason

    def answer(self, event: Acknowledge | Resolve) -> None:
        self._do(event)

    def _do(self, event: Event, key: AttemptId | None = None) -> Decision:
        decision = decide(self.state, event, self.now)
        assert decision == decide(self.state, event, self.now), "the same question, the same answer"
        for effect in decision.effects:
            self._apply(effect, key)
        if decision.to is not None:
            self._move(decision.to)
        return decision

    def _move(self, to: ExecutionStatus) -> None:
        assert self.status not in TERMINAL, "what is over stays over"
        if to is ExecutionStatus.EXHAUSTED:
            assert self.status is RUNNING
            assert self.fired == list(range(1, step_count(self.flow) + 1)), "every node was asked"
            assert not self.open_attempts()
        self.status = to

    def _apply(self, effect: Effect, key: Any) -> None:  # noqa: C901  one case an effect
        if not isinstance(effect, WakeAgain | EndAttempt | CancelWaiting):
            assert self.status is RUNNING, "silence after an answer"
        match effect:
            case FireStep(step):
                row = self.steps[step]
                assert row.status is StepStatus.WAITING, "a step fires once"
                row.status, row.fired_at = StepStatus.FIRED, self.now
            case PlanStep(planned):
                assert planned == self.planned[planned.number - 1]
                assert planned.number not in self.steps
                self.steps[planned.number] = StepRow(planned.due_at)
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
                self._check_nobody_waits_for(step - 1)
                assert self.waiting == [step]
                assert due_at <= self.now < self.steps[step].due_at
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
        times = [self.steps[step].due_at for step in self.waiting]
        for row in map(self.attempts.__getitem__, self.open_attempts()):
            times.append(row.lease_until if row.lease_until and row.claims else row.due_at)
        return min(times)
