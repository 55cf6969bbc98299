"""The machine, driven through made-up histories: whatever happens, it keeps its promises."""

from __future__ import annotations

from datetime import timedelta
from itertools import cycle, pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alertops.escalation.events import (
    Acknowledge,
    Resolve,
)
from alertops.escalation.flow import Flow, Node, OnFailure, OnUnknown, RetryPolicy
from alertops.escalation.states import TERMINAL, AttemptStatus
from tests.unit.engine import FAILURES, RUNNING, AttemptId, Engine, Target

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
        self.engine.die(key, transmitted=transmitted)
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
