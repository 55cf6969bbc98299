"""A loss is told from a backlog by the length of the queue: repaired in time, and nobody is flooded."""

from __future__ import annotations

import pytest

from alertops.errors import BrokerUnavailableError
from alertops.models import Execution
from alertops.services.backlog import SHORT
from alertops.services.claim_attempt import claim_attempt
from alertops.services.keys import AttemptKey
from alertops.services.recover import Recovered
from tests.integration.recovering import NOTHING, Markers, Queues, Recover, Sessions, runner
from tests.integration.world import Broker, World, node

TICK = 10


@pytest.fixture
def queues() -> Queues:
    """Nothing stands anywhere: what was dispatched was handled, is held by somebody, or is lost."""
    return Queues({"fire": 0, "send.email": 0})


@pytest.fixture
def run(world: World, sessions: Sessions, broker: Broker, queues: Queues) -> Recover:
    run = runner(sessions, world, Markers(), queues)
    assert run() == NOTHING
    return run


def overdue_step(world: World) -> Execution:
    execution = world.start(world.flow(node("a", 60)))
    world.pass_time(execution, 66)
    return execution


def overdue_attempt(world: World) -> Execution:
    execution = world.start(world.flow(node("a", 0), node("b", 3600)))
    world.fire(execution, 1)
    world.pass_time(execution, 6)
    return execution


def test_a_step_whose_wake_up_is_lost_again_and_again_is_dispatched_at_every_tick(
    world: World, run: Recover
) -> None:
    execution = overdue_step(world)
    for _ in range(8):
        assert run() == Recovered(overdue=1)
        world.pass_time(execution, TICK)


def test_an_attempt_whose_wake_up_is_lost_again_and_again_is_dispatched_at_every_tick(
    world: World, run: Recover
) -> None:
    execution = overdue_attempt(world)
    for _ in range(8):
        assert run() == Recovered(overdue=1)
        world.pass_time(execution, TICK)


def test_an_expired_lease_whose_wake_up_is_lost_again_and_again_is_dispatched_at_every_tick(
    world: World, run: Recover
) -> None:
    execution = overdue_attempt(world)
    claim_attempt(world.session, AttemptKey(execution.id, 1, 1, 1), lease_seconds=15)
    world.pass_time(execution, 21)
    for _ in range(8):
        assert run() == Recovered(lease_expired=1)
        world.pass_time(execution, TICK)


def test_what_was_dispatched_again_within_the_grace_is_left_alone_also_where_nothing_waits(
    world: World, run: Recover
) -> None:
    """A host that reconnects asks for recovery too: what is on its way is not sent after."""
    execution = overdue_step(world)
    assert run() == Recovered(overdue=1)
    world.pass_time(execution, world.timing.recovery_grace - 1)
    assert run() == NOTHING


@pytest.mark.parametrize(("ready", "seen"), [(SHORT, Recovered(overdue=1)), (SHORT + 1, NOTHING)])
def test_a_queue_that_is_longer_than_short_explains_that_a_row_is_late(
    world: World, queues: Queues, run: Recover, ready: int, seen: Recovered
) -> None:
    execution = overdue_step(world)
    assert run() == Recovered(overdue=1)
    queues.ready_in["fire"] = ready
    world.pass_time(execution, TICK)
    assert run() == seen


def test_a_backlog_of_sends_does_not_excuse_a_lost_step_nor_one_of_steps_a_lost_send(
    world: World, queues: Queues, run: Recover
) -> None:
    step, attempt = overdue_step(world), overdue_attempt(world)
    assert run() == Recovered(overdue=2)
    for busy in ("fire", "send.email"):
        queues.ready_in = {"fire": 0, "send.email": 0, busy: 1000}
        for execution in (step, attempt):
            world.pass_time(execution, TICK)
        assert run() == Recovered(overdue=1)


def test_a_broker_that_does_not_say_how_many_wait_is_taken_to_have_a_backlog(
    world: World, queues: Queues, run: Recover
) -> None:
    def silent() -> None:
        raise BrokerUnavailableError("timed out")

    queues.on_ask = silent
    execution = overdue_step(world)
    assert run() == Recovered(overdue=1)
    world.pass_time(execution, TICK)
    assert run() == NOTHING
    world.pass_time(execution, TICK)
    assert run() == Recovered(overdue=1)


def test_senders_that_hang_with_all_they_hold_are_given_few_duplicates(
    world: World, broker: Broker, queues: Queues, run: Recover
) -> None:
    """Sixteen wake-ups are held and not handled for ten minutes; what is dispatched again stands behind."""
    held = [overdue_attempt(world) for _ in range(16)]
    broker.taken.clear()
    for _ in range(60):
        queues.ready_in["send.email"] = len(broker.taken)
        assert run() is not None
        for execution in held:
            world.pass_time(execution, TICK)
    # Twice into a queue that was short, and then after pauses of 30, 60, 120 and 240 s.
    assert len(broker.taken) == 16 * 6
