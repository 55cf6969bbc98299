"""The machine, one example for each line of the drawing at its head."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from alertops.escalation.decision import (
    CancelTimers,
    CancelWaiting,
    Decision,
    EndAttempt,
    Reason,
)
from alertops.escalation.events import (
    Acknowledge,
    AttemptWoken,
    Cancel,
    Event,
    Resolve,
    StepWoken,
)
from alertops.escalation.flow import Flow, Node, OnFailure, OnUnknown
from alertops.escalation.machine import MAX_CLAIMS, decide
from alertops.escalation.plan import Course, Firing
from alertops.escalation.state import State
from alertops.escalation.states import AttemptStatus, ExecutionStatus, StepStatus, TimerKind
from tests.unit.engine import ANCHOR, LEASE, RUNNING, AttemptId, Engine

_ids = count()


def history(*nodes: Node) -> Engine:
    return Engine(Flow(nodes))


def a_node(delay: int = 0, **more: Any) -> Node:
    return Node(id=str(next(_ids)), name="name", recipient={}, delay_seconds=delay, **more)


def state_in(status: ExecutionStatus) -> State:
    return State(status, Flow((a_node(),)), Course(ANCHOR), ANCHOR)


def sending(engine: Engine) -> AttemptId:
    """The first step has fired and its one attempt is being sent."""
    engine.now = max(engine.now, engine.steps[1].due_at)
    assert engine.wake_step(1, targets=1) is Reason.DUE
    assert engine.wake_attempt((1, 1, 1)) is Reason.DUE
    return (1, 1, 1)


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
    resend.die(key, transmitted=True)
    assert resend.wake_attempt(key) is Reason.RESEND
    hold = history(a_node(on_unknown=OnUnknown.HOLD), a_node(600))
    hold.die(sending(hold), transmitted=True)
    assert hold.wake_attempt(key) is Reason.HELD
    assert hold.attempts[key].status is AttemptStatus.UNKNOWN
    assert hold.steps[2].due_at == hold.now


def test_what_may_have_arrived_stays_so_through_a_death_before_transmit_and_a_certain_failure() -> None:
    engine = history(a_node(), a_node(600))
    key = sending(engine)
    engine.die(key, transmitted=True)
    assert engine.wake_attempt(key) is Reason.RESEND
    engine.die(key, transmitted=False)
    assert engine.wake_attempt(key) is Reason.RECLAIM
    assert engine.end(key, AttemptStatus.FAILED, False, 0) is Reason.RETRY
    assert engine.attempts[1, 1, 2].may_repeat


def test_a_message_that_takes_down_ten_workers_is_given_up_and_escalated() -> None:
    engine = history(a_node(), a_node(600))
    key = sending(engine)
    reasons = []
    for _ in range(MAX_CLAIMS):
        engine.die(key, transmitted=False)
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
        state = state_in(status)
        woken = StepWoken(1, Firing(0, "id"), StepStatus.WAITING, ANCHOR)
        step = decide(state, woken, ANCHOR)
        attempt = decide(state, AttemptWoken(1, AttemptStatus.SCHEDULED, ANCHOR, None, False), ANCHOR)
        assert step == Decision(Reason.STALE)
        assert attempt == Decision(Reason.STALE, (EndAttempt(AttemptStatus.CANCELLED),))


def test_each_state_accepts_refuses_or_already_has_each_answer() -> None:
    def reasons(event: Event) -> dict[str, Reason]:
        return {s.value: decide(state_in(s), event, ANCHOR).reason for s in ExecutionStatus}

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


@pytest.mark.parametrize("status", [*ExecutionStatus])
def test_cancel_ends_whatever_is_not_over(status: ExecutionStatus) -> None:
    decision = decide(state_in(status), Cancel(), ANCHOR)
    match status:
        case ExecutionStatus.RESOLVED:
            assert decision == Decision(Reason.REFUSED)
        case ExecutionStatus.CANCELLED:
            assert decision == Decision(Reason.ALREADY)
        case _:
            effects = (CancelWaiting(), CancelTimers(tuple(TimerKind)))
            assert decision == Decision(Reason.ANSWERED, effects, ExecutionStatus.CANCELLED)
