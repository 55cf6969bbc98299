"""The machine, driven through made-up histories by an engine in memory that checks every effect.

The engine does what the services do (an outcome counts only from the holder of the newest claim), but
keeps books of its own: what may have been received, and what was fired when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle, pairwise
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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
from alertops.escalation.flow import Flow, Node, OnFailure, OnUnknown, RetryPolicy
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

    def wake_step(self, step: int, targets: int) -> Reason:
        row = self.steps[step]
        decision = self._do(StepWoken(step, row.status, row.due_at))
        if decision.reason is Reason.DUE:
            for target in range(1, targets + 1):
                self.attempts[step, target, 1] = AttemptRow(self.now)
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


small_flows = st.builds(
    Flow,
    nodes=st.lists(
        st.builds(
            Node,
            id=st.just("id"),
            name=st.just("name"),
            recipient=st.just({}),
            delay_seconds=st.sampled_from([0, 5, 60]),
            retry=st.builds(RetryPolicy, max_attempts=st.integers(1, 3)),
            on_failure=st.sampled_from(OnFailure),
            on_unknown=st.sampled_from(OnUnknown),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    repeat=st.integers(0, 2),
)
ends = st.sampled_from([(AttemptStatus.DELIVERED, False), *((o, p) for o in FAILURES for p in (False, True))])


class Histories(RuleBasedStateMachine):
    """Wake-ups early, late, doubled and stale; sends that end anyhow or never; answers at any time."""

    @initialize(flow=small_flows, fate=st.lists(ends, min_size=1, max_size=4))
    def start(self, flow: Flow, fate: list[tuple[AttemptStatus, bool]]) -> None:
        self.engine = Engine(flow)
        self.fate = cycle(fate)
        self.seen = [RUNNING]

    def pick(self, data: st.DataObject, keys: list[Any]) -> Any:
        return data.draw(st.sampled_from(sorted(keys)))

    def sending(self) -> list[AttemptId]:
        rows = self.engine.attempts.items()
        return [key for key, row in rows if row.status is AttemptStatus.SENDING]

    def is_sending(self) -> bool:
        return bool(self.sending())

    @rule(seconds=st.sampled_from([0.001, 1, 5, 16, 60, 3600]))
    def let_time_pass(self, seconds: float) -> None:
        self.engine.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.engine.status is RUNNING)
    @rule()
    def let_time_pass_until_something_is_due(self) -> None:
        self.engine.now = max(self.engine.now, self.engine.next_wake_up())

    @rule(data=st.data(), told=st.integers(0, 2))
    def a_wake_up_for_a_step_arrives(self, data: st.DataObject, told: int) -> None:
        self.engine.wake_step(self.pick(data, list(self.engine.steps)), told)

    @precondition(lambda self: self.engine.attempts)
    @rule(data=st.data())
    def a_wake_up_for_an_attempt_arrives(self, data: st.DataObject) -> None:
        self.engine.wake_attempt(self.pick(data, list(self.engine.attempts)))

    @precondition(is_sending)
    @rule(data=st.data())
    def a_message_crosses_the_point_of_no_return(self, data: st.DataObject) -> None:
        self.engine.transmit(self.pick(data, self.sending()))

    @precondition(is_sending)
    @rule(data=st.data(), end=ends, jitter=st.floats(0, 1, exclude_max=True))
    def a_send_ends(self, data: st.DataObject, end: tuple[AttemptStatus, bool], jitter: float) -> None:
        self.engine.end(self.pick(data, self.sending()), *end, jitter)

    @precondition(is_sending)
    @rule(data=st.data(), transmitted=st.booleans())
    def a_worker_dies_and_its_lease_ends(self, data: st.DataObject, transmitted: bool) -> None:
        key = self.pick(data, self.sending())
        die(self.engine, key, transmitted=transmitted)
        self.engine.wake_attempt(key)

    @rule()
    def somebody_acknowledges(self) -> None:
        self.engine.answer(Acknowledge())

    @rule()
    def somebody_resolves(self) -> None:
        self.engine.answer(Resolve())

    @invariant()
    def steps_fire_in_order_none_skipped_none_early_and_one_waits_at_most(self) -> None:
        fired, waiting = self.engine.fired, self.engine.waiting
        assert fired == list(range(1, len(fired) + 1))
        assert waiting in ([], [len(fired) + 1])
        assert all(r.fired_at is None or r.fired_at >= r.due_at for r in self.engine.steps.values())

    @invariant()
    def a_target_is_tried_in_order_one_try_at_a_time_and_never_more_than_allowed(self) -> None:
        by_target: dict[Target, list[int]] = {}
        for step, target, number in self.engine.attempts:
            by_target.setdefault((step, target), []).append(number)
        unfinished = [key[:2] for key in self.engine.open_attempts()]
        assert len(unfinished) == len(set(unfinished))
        for (step, _), numbers in by_target.items():
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) <= self.engine.node_of(step).retry.max_attempts

    @invariant()
    def while_it_runs_there_is_always_something_to_wake(self) -> None:
        if self.engine.status is RUNNING:
            assert self.engine.waiting or self.engine.open_attempts(), "lost"

    @invariant()
    def once_answered_nothing_waits_and_what_is_over_stays_over(self) -> None:
        self.seen.append(self.engine.status)
        assert all(a is b or a not in TERMINAL for a, b in pairwise(self.seen))
        if self.engine.status is not RUNNING:
            assert not self.engine.waiting
            assert all(row.status is not AttemptStatus.SCHEDULED for row in self.engine.attempts.values())

    def teardown(self) -> None:
        """From any state: if nobody answers, wake-ups alone bring it to the end, with every step fired."""
        engine = getattr(self, "engine", None)
        for _ in range(500):
            if engine is None or engine.status is not RUNNING:
                return
            engine.now = max(engine.now, engine.next_wake_up())
            for step in engine.waiting:
                engine.wake_step(step, targets=1)
            for key in engine.open_attempts():
                engine.wake_attempt(key)
                if engine.attempts[key].status is AttemptStatus.SENDING:
                    engine.end(key, *next(self.fate), 0.5)
        raise AssertionError("it goes on for ever")


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


def history(*nodes: Node) -> Engine:
    return Engine(Flow(nodes))


def a_node(delay: int = 0, **more: Any) -> Node:
    return Node(id="id", name="name", recipient={}, delay_seconds=delay, **more)


def sending(engine: Engine) -> AttemptId:
    """The first step has fired and its one attempt is being sent."""
    engine.now = max(engine.now, engine.steps[1].due_at)
    assert engine.wake_step(1, targets=1) is Reason.DUE
    assert engine.wake_attempt((1, 1, 1)) is Reason.DUE
    return (1, 1, 1)


def die(engine: Engine, key: AttemptId, *, transmitted: bool) -> None:
    if transmitted:
        engine.transmit(key)
    engine.now += LEASE


def test_a_step_is_early_then_due_then_stale() -> None:
    engine = history(a_node(60), a_node(60))
    assert engine.wake_step(1, 1) is Reason.EARLY
    engine.now += timedelta(seconds=60)
    assert [engine.wake_step(1, 1), engine.wake_step(1, 1)] == [Reason.DUE, Reason.STALE]
    assert engine.steps[2].due_at == ANCHOR + timedelta(seconds=120)


def test_nobody_to_tell_brings_the_next_step_forward_or_ends_it() -> None:
    engine = history(a_node(), a_node(600))
    engine.wake_step(1, targets=0)
    assert engine.steps[2].due_at == ANCHOR
    engine.wake_step(2, targets=0)
    assert engine.status is ExecutionStatus.EXHAUSTED


def test_an_attempt_is_claimed_once_and_leased_until_its_lease_ends() -> None:
    engine = history(a_node(), a_node(600))
    key = sending(engine)
    assert engine.wake_attempt(key) is Reason.LEASED
    engine.now += LEASE
    assert engine.wake_attempt(key) is Reason.RECLAIM
    assert (engine.attempts[key].claims, engine.attempts[key].may_repeat) == (2, False)


def test_an_attempt_that_waits_for_its_pause_is_early() -> None:
    engine = history(a_node(), a_node(600))
    assert engine.end(sending(engine), AttemptStatus.FAILED, False, 0) is Reason.RETRY
    assert engine.wake_attempt((1, 1, 2)) is Reason.EARLY
    engine.now += timedelta(seconds=10)
    assert engine.wake_attempt((1, 1, 2)) is Reason.DUE


def test_a_lease_lost_after_transmit_is_resent_or_held_as_the_node_says() -> None:
    resend = history(a_node(), a_node(600))
    key = sending(resend)
    die(resend, key, transmitted=True)
    assert resend.wake_attempt(key) is Reason.RESEND
    hold = history(a_node(on_unknown=OnUnknown.HOLD), a_node(600))
    die(hold, sending(hold), transmitted=True)
    assert hold.wake_attempt(key) is Reason.HELD
    assert hold.attempts[key].status is AttemptStatus.UNKNOWN
    assert hold.steps[2].due_at == hold.now


def test_what_may_have_arrived_stays_so_through_a_death_before_transmit_and_a_certain_failure() -> None:
    engine = history(a_node(), a_node(600))
    key = sending(engine)
    die(engine, key, transmitted=True)
    assert engine.wake_attempt(key) is Reason.RESEND
    die(engine, key, transmitted=False)
    assert engine.wake_attempt(key) is Reason.RECLAIM
    assert engine.end(key, AttemptStatus.FAILED, False, 0) is Reason.RETRY
    assert engine.attempts[1, 1, 2].may_repeat


def test_a_message_that_takes_down_ten_workers_is_given_up_and_escalated() -> None:
    engine = history(a_node(), a_node(600))
    key = sending(engine)
    reasons = []
    for _ in range(MAX_CLAIMS):
        die(engine, key, transmitted=False)
        reasons.append(engine.wake_attempt(key))
    assert reasons == [Reason.RECLAIM] * (MAX_CLAIMS - 1) + [Reason.GAVE_UP]
    assert engine.steps[2].due_at == engine.now


def test_a_delivery_leaves_the_next_step_at_its_time_and_the_last_one_ends_it() -> None:
    engine = history(a_node(), a_node(600))
    assert engine.end(sending(engine), AttemptStatus.DELIVERED, False, 0) is Reason.REACHED
    assert engine.steps[2].due_at == ANCHOR + timedelta(seconds=600)
    alone = history(a_node())
    alone.end(sending(alone), AttemptStatus.DELIVERED, False, 0)
    assert alone.status is ExecutionStatus.EXHAUSTED


def test_a_permanent_failure_brings_the_next_step_forward_unless_the_node_waits() -> None:
    escalate = history(a_node(), a_node(600))
    assert escalate.end(sending(escalate), AttemptStatus.FAILED, True, 0) is Reason.UNREACHED
    assert escalate.steps[2].due_at == ANCHOR
    wait = history(a_node(on_failure=OnFailure.WAIT), a_node(600))
    assert wait.end(sending(wait), AttemptStatus.FAILED, True, 0) is Reason.SETTLED
    assert wait.steps[2].due_at == ANCHOR + timedelta(seconds=600)


@pytest.mark.parametrize("reached_first", [True, False])
def test_one_target_that_was_reached_or_is_still_tried_keeps_the_next_step_at_its_time(
    reached_first: bool,
) -> None:
    engine = history(a_node(), a_node(600))
    engine.wake_step(1, targets=2)
    for target in (1, 2):
        engine.wake_attempt((1, target, 1))
    reached, failed = ((1, 1, 1), (1, 2, 1))
    if reached_first:
        assert engine.end(reached, AttemptStatus.DELIVERED, False, 0) is Reason.REACHED
    assert engine.end(failed, AttemptStatus.FAILED, True, 0) is Reason.SETTLED
    assert engine.steps[2].due_at == ANCHOR + timedelta(seconds=600)


def test_what_is_being_sent_when_somebody_answers_is_recorded_and_leads_to_nothing() -> None:
    engine = history(a_node(), a_node(600))
    key = sending(engine)
    engine.answer(Acknowledge())
    assert engine.end(key, AttemptStatus.FAILED, False, 0) is Reason.STALE
    assert list(engine.attempts) == [key]
    assert engine.wake_step(2, 1) is Reason.STALE


def test_nothing_fires_or_is_claimed_in_a_state_that_does_not_run_even_if_it_was_left_waiting() -> None:
    for status in set(ExecutionStatus) - {RUNNING}:
        state = State(status, Flow((a_node(),)), ANCHOR)
        step = decide(state, StepWoken(1, StepStatus.WAITING, ANCHOR), ANCHOR)
        attempt = decide(state, AttemptWoken(AttemptStatus.SCHEDULED, ANCHOR, None, False), ANCHOR)
        assert step == Decision(Reason.STALE)
        assert attempt == Decision(Reason.STALE, (EndAttempt(AttemptStatus.CANCELLED),))


def test_each_state_accepts_refuses_or_already_has_each_answer() -> None:
    def reasons(event: Event) -> dict[str, Reason]:
        flow = Flow((a_node(),))
        return {s.value: decide(State(s, flow, ANCHOR), event, ANCHOR).reason for s in ExecutionStatus}

    answered = {"running": Reason.ANSWERED, "snoozed": Reason.ANSWERED, "exhausted": Reason.ANSWERED}
    assert reasons(Acknowledge()) == answered | {
        "acknowledged": Reason.ALREADY,
        "resolved": Reason.REFUSED,
        "cancelled": Reason.REFUSED,
    }
    assert reasons(Resolve()) == answered | {
        "acknowledged": Reason.ANSWERED,
        "resolved": Reason.ALREADY,
        "cancelled": Reason.REFUSED,
    }
