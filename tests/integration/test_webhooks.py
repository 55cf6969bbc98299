"""Webhooks by the whole way of an alert: from the flow that names one to the machine that is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from flask import Flask

from alertops.channels.base import Channel, Delivery, Notification, Receipt
from alertops.escalation.decision import Reason
from alertops.escalation.flow import OnUnknown
from alertops.models import Execution
from alertops.services.keys import AttemptKey
from alertops.services.send_attempt import send_attempt
from tests.integration.api_client import a_flow, a_node, assert_problem, person
from tests.integration.hooking import channel
from tests.integration.raw_http import TAKEN, RawReceiver, answer, raw_receiver
from tests.integration.test_leases import PAST_THE_LEASE, WorkerDiedError
from tests.integration.world import World, node


class Dying(Channel):
    """A channel whose worker is killed as soon as the receiver has answered."""

    name = "webhook"

    def __init__(self, over: Channel) -> None:
        self._over = over

    @contextmanager
    def open(self, notification: Notification, *, within_seconds: float) -> Iterator[Delivery]:
        with self._over.open(notification, within_seconds=within_seconds) as delivery:
            yield DyingDelivery(delivery)


class DyingDelivery(Delivery):
    def __init__(self, over: Delivery) -> None:
        self._over = over

    def transmit(self, *, within_seconds: float) -> Receipt:
        self._over.transmit(within_seconds=within_seconds)
        raise WorkerDiedError


def fired(world: World, receiver: RawReceiver, on_unknown: OnUnknown = OnUnknown.RESEND) -> Execution:
    recipient = {"type": "webhook", "url": receiver.url()}
    execution = world.start(
        world.flow(node("machine", 0, recipient=recipient, on_unknown=on_unknown), node("b", 600))
    )
    world.fire(execution, 1)
    return execution


def send(world: World, execution: Execution, over: Channel, attempt: int = 1) -> Reason:
    key = AttemptKey(execution.id, 1, 1, attempt)
    reason = send_attempt(world.session, world.dispatcher, {over.name: over}, world.timing, key)
    world.session.expire_all()
    return reason


def told(receiver: RawReceiver) -> list[tuple[str, int, bool]]:
    """Of each request: its webhook-id, the attempt, and whether it may be a repeat."""
    bodies = [(request.headers["webhook-id"], json.loads(request.body)) for request in receiver.requests]
    return [(id_, body["attempt"], body["may_repeat"]) for id_, body in bodies]


def test_an_attempt_waits_in_the_queue_of_its_channel(world: World) -> None:
    with raw_receiver(TAKEN) as receiver:
        execution = fired(world, receiver)
    [attempt] = world.attempts(execution)
    assert (attempt.channel, attempt.address) == ("webhook", receiver.url())
    assert [m.routing_key for m in world.publisher.messages if m.args == (str(execution.id), 1, 1, 1)] == [
        "send.webhook"
    ]


def test_a_machine_is_told_of_an_alert(world: World) -> None:
    with raw_receiver(TAKEN) as receiver:
        execution = fired(world, receiver)
        assert send(world, execution, channel()) is Reason.REACHED
    assert told(receiver) == [(f"{execution.id}.1.1", 1, False)]
    body = json.loads(receiver.requests[0].body)
    assert (body["execution"], body["summary"], body["details"]) == (
        str(execution.id),
        "Disk is full",
        {"host": "db1"},
    )
    [attempt] = world.attempts(execution)
    assert (attempt.status, attempt.detail) == ("delivered", "200 OK: taken")


def test_a_worker_that_died_after_the_answer_is_replaced_and_the_repeat_has_the_same_id(world: World) -> None:
    with raw_receiver(TAKEN) as receiver:
        execution = fired(world, receiver)
        with pytest.raises(WorkerDiedError):
            send(world, execution, Dying(channel()))
        world.session.rollback()
        world.pass_time(execution, PAST_THE_LEASE)
        assert send(world, execution, channel()) is Reason.REACHED
    id_ = f"{execution.id}.1.1"
    assert told(receiver) == [(id_, 1, False), (id_, 1, True)]


@pytest.mark.parametrize("on_unknown", [OnUnknown.RESEND, OnUnknown.HOLD])
def test_a_gateway_that_does_not_know_leaves_a_send_unknown(world: World, on_unknown: OnUnknown) -> None:
    with raw_receiver(answer("504 Gateway Timeout"), TAKEN) as receiver:
        execution = fired(world, receiver, on_unknown)
        send(world, execution, channel())
        if on_unknown is OnUnknown.RESEND:
            world.pass_time(execution, 60)
            assert send(world, execution, channel(), attempt=2) is Reason.REACHED
    id_ = f"{execution.id}.1.1"
    assert told(receiver) == [(id_, 1, False), (id_, 2, True)][: len(receiver.requests)]
    assert [attempt.status for attempt in world.attempts(execution)] == {
        OnUnknown.RESEND: ["unknown", "delivered"],
        OnUnknown.HOLD: ["unknown"],
    }[on_unknown]


def test_a_receiver_that_is_busy_is_told_again_under_the_same_id(world: World) -> None:
    with raw_receiver(answer("503 Busy", "Retry-After: 5"), TAKEN) as receiver:
        execution = fired(world, receiver)
        send(world, execution, channel())
        world.pass_time(execution, 60)
        assert send(world, execution, channel(), attempt=2) is Reason.REACHED
    id_ = f"{execution.id}.1.1"
    assert told(receiver) == [(id_, 1, False), (id_, 2, False)]


@pytest.mark.parametrize(("asked", "pause"), [("90", 90), ("86400", 300), ("1", 10), ("soon", 10)])
def test_a_receiver_that_asks_for_a_pause_gets_it_up_to_the_longest_of_the_node(
    world: World, asked: str, pause: float
) -> None:
    with raw_receiver(answer("429 Too Many Requests", f"Retry-After: {asked}"), TAKEN) as receiver:
        execution = fired(world, receiver)
        send(world, execution, channel())
    first, second = world.attempts(execution)
    assert first.finished_at is not None
    waits = (second.due_at - first.finished_at).total_seconds()
    # Of a pause of our own, jitter takes a fifth at most.
    assert pause * (0.8 if pause == 10 else 1) - 1 <= waits <= pause + 1


def test_a_pause_that_goes_beyond_the_budget_is_not_waited_for(world: World) -> None:
    with raw_receiver(answer("503 Busy", "Retry-After: 120")) as receiver:
        recipient = {"type": "webhook", "url": receiver.url()}
        first = node("machine", 0, recipient=recipient)
        first = replace(first, retry=replace(first.retry, budget_seconds=60))
        execution = world.start(world.flow(first, node("b", 600)))
        world.fire(execution, 1)
        send(world, execution, channel())
    assert [attempt.status for attempt in world.attempts(execution)] == ["failed"]
    assert world.fire(execution, 2) is Reason.DUE


def test_a_receiver_that_is_gone_brings_the_next_step_forward(world: World) -> None:
    with raw_receiver(answer("410 Gone")) as receiver:
        execution = fired(world, receiver)
        send(world, execution, channel())
    assert [attempt.status for attempt in world.attempts(execution)] == ["failed"]
    assert world.fire(execution, 2) is Reason.DUE


def test_our_own_network_is_refused_for_good_and_on_the_timeline(world: World) -> None:
    with raw_receiver(TAKEN) as receiver:
        execution = fired(world, receiver)
        send(world, execution, channel(allowed=None))
    [attempt] = world.attempts(execution)
    assert (attempt.status, receiver.connections) == ("failed", 0)
    assert "not a public address" in (attempt.detail or "")


def test_a_flow_can_name_a_webhook(app: Flask) -> None:
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    recipient = {"type": "webhook", "url": "https://hooks.example.com/T1?token=1"}
    flow = ann.make(f"/teams/{team}/flows", a_flow(a_node("machine", recipient=recipient)))
    assert flow["nodes"][0]["recipient"] == recipient


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.com/", "http or https"),
        ("https://user:s3cret@example.com/", "user name or a password"),
        ("https://exa mple.com/", "percent-encoded"),
        (7, "Not a valid string."),
    ],
)
def test_a_url_that_cannot_be_posted_to_is_refused_by_its_place(app: Flask, url: object, said: str) -> None:
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    bad = a_flow(a_node("machine", recipient={"type": "webhook", "url": url}))
    problem = assert_problem(ann.post(f"/teams/{team}/flows", bad), 422)
    [error] = problem["errors"]
    assert error["pointer"] == "/nodes/0/recipient/url"
    assert said in error["detail"]
