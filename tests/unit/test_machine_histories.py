"""The machine, driven through made-up histories: whatever happens, it keeps its promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import cycle, pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alertops.escalation.events import (
    Acknowledge,
    Escalate,
    Reassign,
    Rebase,
    Resolve,
    Snooze,
    Unsnooze,
)
from alertops.escalation.flow import Flow, Node, OnFailure, OnUnknown, RetryPolicy
from alertops.escalation.operations import next_step
from alertops.escalation.states import TERMINAL, AttemptStatus
from tests.unit.engine import FAILURES, RUNNING, AttemptId, Engine, Target


def numbered(nodes: list[Node]) -> tuple[Node, ...]:
    """The nodes with ids, which no two of them share."""
    return tuple(replace(node, id=f"n{number}") for number, node in enumerate(nodes))


small_flows = st.builds(
    Flow,
    nodes=st.lists(
        st.builds(
            Node,
            id=st.just("id"),
            name=st.just("name"),
            recipient=st.just({}),
            delay_seconds=st.sampled_from([0, 5, 60]),
            retry=st.builds(
                RetryPolicy,
                max_attempts=st.integers(1, 3),
                jitter=st.sampled_from([0, 0.2, 1]),
                budget_seconds=st.sampled_from([None, None, 15, 60]),
            ),
            on_failure=st.sampled_from(OnFailure),
            on_unknown=st.sampled_from(OnUnknown),
        ),
        min_size=1,
        max_size=3,
    ).map(numbered),
    repeat=st.integers(0, 2),
    ack_timeout_seconds=st.sampled_from([None, 60, 600]),
    resolve_after_seconds=st.sampled_from([None, None, 90, 7200]),
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

    @rule(sure=st.integers(0, 3))
    def somebody_resolves(self, sure: int) -> None:
        """Not often: an execution that is over is soon told."""
        if sure == 0:
            self.engine.answer(Resolve())

    @rule(seconds=st.sampled_from([1, 60, 3600]))
    def somebody_snoozes_it(self, seconds: float) -> None:
        self.engine.answer(Snooze(self.engine.now + timedelta(seconds=seconds)))

    @rule()
    def somebody_wants_it_back(self) -> None:
        self.engine.answer(Unsnooze())

    @rule(ahead=st.integers(-1, 1))
    def somebody_escalates(self, ahead: int) -> None:
        """What comes next, or what has been, or what is far off."""
        coming = next_step(self.engine.state)
        self.engine.answer(Escalate((coming or max(self.engine.steps)) + ahead))

    @rule(flow=small_flows, same=st.booleans())
    def somebody_reassigns_it(self, flow: Flow, same: bool) -> None:
        nodes = tuple(replace(node, id=f"{node.id} of {len(self.engine.steps)}") for node in flow.nodes)
        self.engine.answer(Reassign(replace(flow, nodes=nodes), same))

    @rule(flow=small_flows, keep=st.permutations(range(3)), kept=st.integers(0, 3))
    def it_is_moved_to_another_revision(self, flow: Flow, keep: list[int], kept: int) -> None:
        """Of the nodes that there were some are kept, in another order; the others are new."""
        old = [node.id for node in self.engine.flow.nodes]
        ids = [old[index] for index in keep if index < len(old)][:kept]
        new = [f"new {len(self.engine.steps)}.{number}" for number in range(3)]
        nodes = tuple(replace(node, id=id_) for node, id_ in zip(flow.nodes, [*ids, *new], strict=False))
        told = self.engine.progress(self.engine.leg.last_fired)
        reached = told.reached or told.open_in_step > 0
        self.engine.answer(Rebase(replace(flow, nodes=nodes), len(self.engine.open_attempts()), reached))

    @precondition(lambda self: self.engine.timers)
    @rule(data=st.data(), late=st.sampled_from([-1, 0, 30]))
    def a_timer_is_woken(self, data: st.DataObject, late: float) -> None:
        kind = self.pick(data, list(self.engine.timers))
        due_at = self.engine.timers[kind] + timedelta(seconds=late)
        self.engine.now = max(self.engine.now, due_at)
        self.engine.wake_timer(kind)

    @invariant()
    def steps_fire_in_order_none_skipped_none_early_and_one_waits_at_most(self) -> None:
        fired, waiting = self.engine.fired, self.engine.waiting
        assert sorted(self.engine.steps) == list(range(1, len(self.engine.steps) + 1))
        assert fired == sorted(fired)
        assert waiting in ([], [len(self.engine.steps)])
        assert all(r.fired_at is None or r.fired_at >= r.due_at for r in self.engine.steps.values())

    @invariant()
    def a_node_fires_once_a_round_unless_it_came_back(self) -> None:
        """Whatever was added, moved and taken out meanwhile."""
        fired = list(self.engine.leg.fired)
        assert len(fired) - len(set(fired)) <= self.engine.came_back

    @invariant()
    def what_was_left_behind_is_not_tried_again(self) -> None:
        for (step, _, _), row in self.engine.attempts.items():
            assert row.status is not AttemptStatus.SCHEDULED or step >= self.engine.first_step

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
            for kind in list(engine.timers):
                engine.wake_timer(kind)
            for step in engine.waiting:
                engine.wake_step(step, targets=1)
            for key in engine.open_attempts():
                engine.wake_attempt(key)
                if engine.attempts[key].status is AttemptStatus.SENDING:
                    engine.end(key, *next(self.fate), 0.5)
        raise AssertionError("it goes on for ever")


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
