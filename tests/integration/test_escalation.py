"""The path of an alert through the services, on a real database, with time moved instead of slept."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete

from alertops.channels.base import Certainty, ChannelError, Notification
from alertops.escalation.decision import Reason
from alertops.escalation.flow import OnFailure, OnUnknown
from alertops.models import Membership, User
from alertops.services.acknowledge import acknowledge
from alertops.services.operate import By
from alertops.services.resolve import resolve
from tests.integration.world import World, node


def refuse(_: Notification) -> None:
    raise ChannelError("450 try later")


def refuse_for_good(_: Notification) -> None:
    raise ChannelError("550 no such mailbox", permanent=True)


def lose_the_answer(_: Notification) -> None:
    raise ChannelError("connection lost after the final dot", certainty=Certainty.UNKNOWN)


def test_an_alert_is_committed_with_its_first_step_waiting_and_a_wake_up_published(world: World) -> None:
    execution = world.start(world.flow(node("a", 60), node("b", 120)))
    (step,) = world.steps(execution)
    assert (step.number, step.status) == (1, "waiting")
    assert step.due_at == step.planned_at == execution.anchor_at + timedelta(seconds=60)
    assert step.dispatched_at is not None
    (message,) = world.publisher.messages
    assert (message.task, message.args) == ("alertops.fire_step", (str(execution.id), 1))
    assert 59 < message.delay_seconds <= 60


def test_a_wake_up_that_comes_early_fires_nothing_and_wakes_again_at_the_due_time(world: World) -> None:
    execution = world.start(world.flow(node("a", 60)))
    world.pass_time(execution, 58)
    assert world.fire(execution, 1) is Reason.EARLY
    assert world.steps(execution)[0].status == "waiting"
    again = world.publisher.messages[-1]
    assert again.task == "alertops.fire_step"
    assert 1 < again.delay_seconds <= 2


def test_a_due_step_fires_and_its_successor_waits_at_its_planned_time(world: World) -> None:
    execution = world.start(world.flow(node("a", 60), node("b", 120)))
    world.pass_time(execution, 75)
    assert world.fire(execution, 1) is Reason.DUE
    first, second = world.steps(execution)
    assert first.status == "fired"
    # The first step fired 15 s late; the second is not due any later for that.
    assert second.due_at - first.due_at == timedelta(seconds=120)
    (attempt,) = world.attempts(execution)
    assert (attempt.address, attempt.status) == ("a@example.com", "scheduled")


def test_the_same_wake_up_three_times_fires_once_and_sends_once(world: World) -> None:
    execution = world.start(world.flow(node("a", 0)))
    assert [world.fire(execution, 1) for _ in range(3)] == [Reason.DUE, Reason.STALE, Reason.STALE]
    assert [world.send(execution, 1) for _ in range(3)] == [Reason.REACHED, Reason.STALE, Reason.STALE]
    assert len(world.channel.accepted) == 1


def test_node_after_node_fires_until_nobody_is_left_and_then_it_is_exhausted(world: World) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 60), repeat=1))
    for step in (1, 2, 3, 4):
        world.pass_time(execution, 60)
        assert world.fire(execution, step) is Reason.DUE
        assert world.status(execution) == "running"
        world.send(execution, step)
    assert [n.address for n in world.channel.accepted] == ["a@example.com", "b@example.com"] * 2
    assert world.status(execution) == "exhausted"
    assert [step.number for step in world.steps(execution)] == [1, 2, 3, 4]


def test_acknowledge_silences_the_next_node_and_the_retry_that_waits(world: World) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 60)))
    world.fire(execution, 1)
    world.channel.on_open = refuse
    world.send(execution, 1)
    answered = acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    assert answered.changed
    assert answered.execution.acknowledged_by == world.owner.id
    world.channel.on_open = lambda _: None
    world.pass_time(execution, 3600)
    assert world.fire(execution, 2) is Reason.STALE
    assert world.send(execution, 1, 2) is Reason.STALE
    assert world.channel.accepted == []
    assert [step.status for step in world.steps(execution)] == ["fired", "cancelled"]
    assert [attempt.status for attempt in world.attempts(execution)] == ["failed", "cancelled"]


def test_acknowledge_is_safe_to_repeat(world: World) -> None:
    execution = world.start(world.flow(node("a", 60)))
    first = acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    second = acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    assert (first.changed, second.changed) == (True, False)
    assert second.execution.acknowledged_at == first.execution.acknowledged_at
    assert world.events(execution) == ["started", "acknowledged"]


def test_acknowledge_between_claim_and_transmit_still_silences(world: World) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 60)))
    world.fire(execution, 1)
    in_flight = []

    def acknowledge_meanwhile(_: Notification) -> None:
        answered = acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
        in_flight.extend(answered.in_flight)

    world.channel.on_open = acknowledge_meanwhile
    world.send(execution, 1)
    assert world.channel.accepted == []
    assert [attempt.address for attempt in in_flight] == ["a@example.com"]
    assert [attempt.status for attempt in world.attempts(execution)] == ["cancelled"]
    assert world.status(execution) == "acknowledged"


def test_a_send_that_was_transmitted_when_acknowledged_is_recorded_as_it_ended(world: World) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 60)))
    world.fire(execution, 1)
    world.channel.on_transmit = lambda _: (
        acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id)) and None
    )
    world.send(execution, 1)
    assert [attempt.status for attempt in world.attempts(execution)] == ["delivered"]
    assert world.status(execution) == "acknowledged"


def test_a_failure_that_may_pass_is_retried_with_growing_pauses_then_escalated(world: World) -> None:
    execution = world.start(world.flow(node("a", 0, attempts=3), node("b", 600)))
    world.fire(execution, 1)
    world.channel.on_open = refuse
    assert world.send(execution, 1, 1) is Reason.RETRY
    assert world.send(execution, 1, 2) is Reason.EARLY
    world.pass_time(execution, 10)
    assert world.send(execution, 1, 2) is Reason.RETRY
    pauses = [m.delay_seconds for m in world.publisher.messages if m.task == "alertops.send_attempt"]
    assert 7.9 < pauses[1] <= 10
    assert 15.9 < pauses[-1] <= 20
    world.pass_time(execution, 20)
    assert world.send(execution, 1, 3) is Reason.UNREACHED
    second = world.steps(execution)[1]
    assert second.due_at < second.planned_at
    assert world.publisher.messages[-1].delay_seconds == 0
    assert world.fire(execution, 2) is Reason.DUE


def test_a_permanent_failure_is_not_retried_and_brings_the_next_node_forward(world: World) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 600), node("c", 60)))
    world.fire(execution, 1)
    world.channel.on_open = refuse_for_good
    assert world.send(execution, 1) is Reason.UNREACHED
    assert world.fire(execution, 2) is Reason.DUE
    third = world.steps(execution)[2]
    # Bringing one step forward moves none of those after it.
    assert third.due_at == execution.anchor_at + timedelta(seconds=660)


def test_a_node_that_waits_on_failure_leaves_the_next_one_at_its_time(world: World) -> None:
    execution = world.start(world.flow(node("a", 0, on_failure=OnFailure.WAIT), node("b", 600)))
    world.fire(execution, 1)
    world.channel.on_open = refuse_for_good
    assert world.send(execution, 1) is Reason.SETTLED
    second = world.steps(execution)[1]
    assert second.due_at == second.planned_at


def test_the_last_nodes_failure_exhausts_the_execution(world: World) -> None:
    execution = world.start(world.flow(node("a", 0)))
    world.fire(execution, 1)
    world.channel.on_open = refuse_for_good
    assert world.send(execution, 1) is Reason.EXHAUSTED
    assert world.status(execution) == "exhausted"
    assert world.events(execution) == ["started", "step_fired", "attempt_failed", "exhausted"]


def test_an_exhausted_execution_can_still_be_answered_by_the_last_person_told(world: World) -> None:
    execution = world.start(world.flow(node("a", 0)))
    world.fire(execution, 1)
    world.send(execution, 1)
    assert world.status(execution) == "exhausted"
    assert acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id)).changed
    assert resolve(world.session, world.dispatcher, execution.id, By(world.owner.id)).changed
    assert world.status(execution) == "resolved"


def test_a_user_is_told_at_the_address_they_have_when_the_step_fires(world: World) -> None:
    recipient = {"type": "user", "user_id": str(world.owner.id)}
    execution = world.start(world.flow(node("a", 0, recipient=recipient)))
    world.session.get_one(User, world.owner.id).email = "new@example.com"
    world.session.commit()
    world.fire(execution, 1)
    assert [attempt.address for attempt in world.attempts(execution)] == ["new@example.com"]


def test_a_node_that_resolves_to_nobody_escalates_at_once_and_says_so(world: World) -> None:
    recipient = {"type": "user", "user_id": str(world.owner.id)}
    execution = world.start(world.flow(node("a", 0, recipient=recipient), node("b", 600)))
    world.session.execute(delete(Membership))
    world.session.commit()
    world.fire(execution, 1)
    assert world.events(execution) == ["started", "step_fired", "nobody_to_tell", "step_brought_forward"]
    assert world.fire(execution, 2) is Reason.DUE


def test_a_lost_answer_is_unknown_and_sent_again_under_the_same_key_and_says_so(world: World) -> None:
    execution = world.start(world.flow(node("a", 0, attempts=2)))
    world.fire(execution, 1)
    seen: list[Notification] = []

    def lose(notification: Notification) -> None:
        seen.append(notification)
        lose_the_answer(notification)

    world.channel.on_transmit = lose
    assert world.send(execution, 1) is Reason.RETRY
    world.pass_time(execution, 10)
    world.channel.on_transmit = seen.append
    world.send(execution, 1, 2)
    assert [n.may_repeat for n in seen] == [False, True]
    assert seen[0].key == seen[1].key
    assert [attempt.status for attempt in world.attempts(execution)] == ["unknown", "delivered"]


def test_a_node_that_holds_does_not_send_again_what_may_have_arrived(world: World) -> None:
    execution = world.start(world.flow(node("a", 0, on_unknown=OnUnknown.HOLD), node("b", 600)))
    world.fire(execution, 1)
    world.channel.on_transmit = lose_the_answer
    assert world.send(execution, 1) is Reason.UNREACHED
    assert [attempt.status for attempt in world.attempts(execution)] == ["unknown"]
