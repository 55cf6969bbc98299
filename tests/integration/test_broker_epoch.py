"""A broker that was emptied is told from one that has our messages, and filled before anything is late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from alertops.models import BrokerEpoch, Execution, Step
from alertops.services.acknowledge import acknowledge
from alertops.services.claim_attempt import claim_attempt
from alertops.services.dispatch import Message
from alertops.services.keys import AttemptKey
from alertops.services.operate import By
from alertops.services.recover import PAGE, Recovered
from tests.integration.recovering import NOTHING, Markers, Recover, Sessions, runner
from tests.integration.world import Broker, World, down, node, refuse, take


@pytest.fixture
def run(world: World, sessions: Sessions, broker: Broker, markers: Markers) -> Recover:
    """The broker is in use: it has its marker, and was filled."""
    run = runner(sessions, world, markers)
    assert run() == NOTHING
    return run


def epoch(session: Session) -> BrokerEpoch:
    session.expire_all()
    found = session.scalars(select(BrokerEpoch)).one()
    session.commit()
    return found


def waiting(world: World, count: int, delay: int = 600) -> list[Execution]:
    flow = world.flow(node("a", delay))
    return [world.start(flow) for _ in range(count)]


def steps_taken(broker: Broker) -> Counter[object]:
    return Counter(message.args[0] for message in broker.taken if message.task == "alertops.fire_step")


def ids(executions: Sequence[Execution]) -> Counter[object]:
    return Counter(str(execution.id) for execution in executions)


def test_the_first_start_on_an_empty_database_marks_the_broker(
    world: World, sessions: Sessions, broker: Broker, markers: Markers
) -> None:
    run = runner(sessions, world, markers)
    assert run() == NOTHING
    assert markers.names == [f"alertops.epoch.{epoch(world.session).epoch}"]
    assert epoch(world.session).filled_at is not None
    assert run() == NOTHING
    assert len(markers.names) == 1


def test_what_waits_and_is_not_due_is_dispatched_with_what_remains_of_its_delay(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    (execution,) = waiting(world, 1)
    world.pass_time(execution, 100)
    broker.taken.clear()
    markers.wipe()
    assert run() == Recovered(broker_emptied=1)
    (message,) = broker.taken
    assert message.args == (str(execution.id), 1)
    assert 499 < message.delay_seconds <= 500
    assert run() == NOTHING


def test_scheduled_attempts_are_dispatched_and_those_being_sent_are_left_to_their_leases(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    flow = world.flow(node("a", 0))
    scheduled, sending = world.start(flow), world.start(flow)
    for execution in (scheduled, sending):
        world.fire(execution, 1)
    claim_attempt(world.session, AttemptKey(sending.id, 1, 1, 1), lease_seconds=15)
    broker.taken.clear()
    markers.wipe()
    assert run() == Recovered(broker_emptied=1)
    assert [message.args for message in broker.taken] == [(str(scheduled.id), 1, 1, 1)]
    world.pass_time(sending, 21)
    assert run() == Recovered(lease_expired=1)


def test_what_never_was_dispatched_or_rests_as_a_backlog_is_in_the_broker_as_well(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    (backlog,) = waiting(world, 1, delay=60)
    world.pass_time(backlog, 66)
    assert run() == Recovered(overdue=1)
    broker.on_publish = down
    (undispatched,) = waiting(world, 1)
    broker.on_publish = take
    broker.taken.clear()
    markers.wipe()
    assert run() == Recovered(broker_emptied=2)
    assert steps_taken(broker) == ids([backlog, undispatched])


def test_what_was_acknowledged_is_not_dispatched(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    (execution,) = waiting(world, 1)
    acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    markers.wipe()
    assert run() == NOTHING


def test_being_dispatched_again_before_it_was_due_does_not_make_a_row_rest_when_it_is_lost_again(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    (execution,) = waiting(world, 1, delay=60)
    for _ in range(5):
        markers.wipe()
        assert run() == Recovered(broker_emptied=1)
    assert world.steps(execution)[0].recovery_count == 0
    world.pass_time(execution, 66)
    assert run() == Recovered(overdue=1)


def test_every_emptied_broker_begins_an_epoch_of_a_new_name(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    """So a broker to which one goes back does not pass for one that has everything."""
    waiting(world, 1)
    first, second = markers, list(markers.names)
    first.wipe()
    assert run() == Recovered(broker_emptied=1)
    first.names[:] = second
    assert run() == Recovered(broker_emptied=1)


def test_a_runner_that_crashed_in_the_middle_is_followed_by_one_that_dispatches_the_rest(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    executions = waiting(world, PAGE + 3)
    broker.taken.clear()
    markers.wipe()

    def crash_on_the_second_page(messages: Sequence[Message]) -> list[bool]:
        if broker.taken:
            raise KeyboardInterrupt
        return take(messages)

    broker.on_publish = crash_on_the_second_page
    with pytest.raises(KeyboardInterrupt):
        run()
    assert epoch(world.session).filled_at is None
    broker.on_publish = take
    assert run() == Recovered(broker_emptied=3)
    assert steps_taken(broker) == ids(executions)
    assert epoch(world.session).filled_at is not None
    assert len(markers.names) == 1


def test_a_runner_that_crashed_before_it_set_the_marker_is_followed_by_a_new_epoch(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    waiting(world, 1)
    markers.wipe()
    markers.on_declare = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run()
    crashed = epoch(world.session).epoch
    markers.on_declare = lambda: None
    assert run() == Recovered(broker_emptied=1)
    assert epoch(world.session).epoch != crashed


def test_a_broker_that_is_emptied_again_while_it_is_filled_is_filled_once_more(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    executions = waiting(world, PAGE + 3)
    markers.wipe()

    def lose_the_first_page(messages: Sequence[Message]) -> list[bool]:
        markers.wipe()
        broker.taken.clear()
        broker.on_publish = take
        return take(messages)

    broker.on_publish = lose_the_first_page
    assert run() == Recovered(broker_emptied=PAGE + 3)
    assert epoch(world.session).filled_at is None
    broker.taken.clear()
    assert run() == Recovered(broker_emptied=PAGE + 3)
    assert steps_taken(broker) == ids(executions)
    assert epoch(world.session).filled_at is not None


@pytest.mark.parametrize("failure", [down, refuse])
def test_an_epoch_is_not_filled_while_the_broker_takes_nothing(
    world: World, broker: Broker, markers: Markers, run: Recover, failure: object
) -> None:
    waiting(world, 3)
    markers.wipe()
    broker.on_publish = failure  # type: ignore[assignment]
    assert run() == NOTHING
    assert epoch(world.session).filled_at is None
    broker.on_publish = take
    assert run() == Recovered(broker_emptied=3)


def test_a_message_that_no_queue_takes_is_tried_again_without_the_rest(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    waiting(world, 3)
    markers.wipe()
    broker.on_publish = lambda messages: [False, *take(messages[1:])]
    assert run() == Recovered(broker_emptied=2)
    assert broker.batches[-1] == 3
    assert run() == NOTHING
    assert broker.batches[-1] == 1
    broker.on_publish = take
    assert run() == Recovered(broker_emptied=1)


def test_what_is_dispatched_while_the_broker_is_filled_is_not_dispatched_twice(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    before = waiting(world, 2)
    broker.taken.clear()
    markers.wipe()
    fresh: list[Execution] = []

    def an_alert_arrives() -> None:
        markers.on_declare = lambda: None
        fresh.extend(waiting(world, 1))

    markers.on_declare = an_alert_arrives
    assert run() == Recovered(broker_emptied=2)
    assert steps_taken(broker) == ids([*before, *fresh])


def test_two_runners_of_which_one_lost_its_lock_begin_one_epoch(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    """The slower one neither begins another epoch nor sets a marker for what it did not do."""
    waiting(world, 1)
    markers.wipe()

    def another_runner_is_faster() -> None:
        markers.on_exists = lambda: None
        values = {"epoch": uuid4(), "filled_at": None}
        world.session.execute(update(BrokerEpoch).values(values))
        world.session.commit()

    markers.on_exists = another_runner_is_faster
    run()
    assert markers.names == []
    assert epoch(world.session).filled_at is None


def test_a_broker_that_cannot_be_asked_does_not_keep_what_is_lost_from_being_dispatched(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    (execution,) = waiting(world, 1, delay=60)
    world.pass_time(execution, 66)
    last = epoch(world.session).last_run_at
    markers.down = True
    assert run() == Recovered(overdue=1)
    assert epoch(world.session).last_run_at == last


def test_a_step_that_came_due_long_ago_counts_as_late_when_the_broker_is_filled(
    world: World, broker: Broker, markers: Markers, run: Recover
) -> None:
    late, coming = waiting(world, 2, delay=60)
    world.pass_time(late, 66)
    markers.wipe()
    assert run() == Recovered(broker_emptied=2)
    counts = {step.execution_id: step.recovery_count for step in world.session.scalars(select(Step))}
    assert counts == {late.id: 1, coming.id: 0}
