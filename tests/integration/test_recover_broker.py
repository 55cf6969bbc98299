"""On a real RabbitMQ: its marker, how many messages stand in its queues, and queues that were deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from celery import Celery
from kombu.transport.native_delayed_delivery import level_name

from alertops.errors import BrokerUnavailableError
from alertops.services.backlog import short_queues
from alertops.services.dispatch import FIRE_STEP, Message
from deploy.local.stack import PrivateStack
from tasks.depths import QueueDepths
from tasks.epoch import MarkerQueue
from tasks.publisher import ConfirmingPublisher
from tasks.queues import FIRE, task_queues

EPOCH = "alertops.epoch.1"


@pytest.fixture
def vhost(stack: PrivateStack) -> Iterator[str]:
    if stack.rabbitmq not in stack.servers:
        pytest.skip("needs a RabbitMQ of its own, and the environment names one")
    name = f"recover_{uuid4().hex[:8]}"
    yield name
    stack.rabbitmq.delete_vhost(name)


@pytest.fixture
def app(stack: PrivateStack, vhost: str) -> Celery:
    return Celery(broker=stack.rabbitmq.create_vhost(vhost), set_as_current=False)


@pytest.fixture
def marker(app: Celery) -> MarkerQueue:
    return MarkerQueue(app)


def wake_up(delay: float) -> Message:
    return Message(FIRE_STEP, (str(uuid4()), 1), FIRE, delay)


def until(condition: Callable[[], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_asking_for_a_marker_does_not_make_it_and_declaring_it_twice_does_no_harm(
    marker: MarkerQueue,
) -> None:
    assert [marker.exists(EPOCH), marker.exists(EPOCH)] == [False, False]
    marker.declare(EPOCH)
    marker.declare(EPOCH)
    assert marker.exists(EPOCH)
    assert not marker.exists("alertops.epoch.2")


def test_a_vhost_that_is_gone_is_no_answer_and_one_that_is_back_has_lost_the_marker(
    stack: PrivateStack, vhost: str, marker: MarkerQueue
) -> None:
    marker.declare(EPOCH)
    stack.rabbitmq.delete_vhost(vhost)
    with pytest.raises(BrokerUnavailableError):
        marker.exists(EPOCH)
    stack.rabbitmq.create_vhost(vhost)
    assert not marker.exists(EPOCH)


@pytest.mark.parametrize("ask", [MarkerQueue.exists, MarkerQueue.declare])
def test_a_broker_that_is_not_there_is_not_an_empty_one(ask: Callable[[MarkerQueue, str], object]) -> None:
    nowhere = Celery(broker="amqp://nobody:nothing@127.0.0.1:1/", set_as_current=False)
    with pytest.raises(BrokerUnavailableError):
        ask(MarkerQueue(nowhere), EPOCH)


def test_what_stands_in_a_queue_is_counted_without_what_waits_for_its_time_or_is_held(app: Celery) -> None:
    publisher, queues = ConfirmingPublisher(app, 2.0), QueueDepths(app)
    empty = dict.fromkeys((queue.name for queue in task_queues()), 0)
    assert queues.ready() == empty
    publisher.publish([wake_up(0), wake_up(0), wake_up(0), wake_up(60)])
    until(lambda: queues.ready()["fire"] == 3, within=10)
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        held = channel.basic_get(FIRE)
        until(lambda: queues.ready()["fire"] == 2, within=10)
        channel.basic_reject(held.delivery_tag, requeue=True)
        until(lambda: queues.ready()["fire"] == 3, within=10)
        channel.queue_delete(FIRE)
    assert queues.ready() == empty


def test_a_broker_that_is_not_there_has_no_short_queues() -> None:
    nowhere = Celery(broker="amqp://nobody:nothing@127.0.0.1:1/", set_as_current=False)
    with pytest.raises(BrokerUnavailableError):
        QueueDepths(nowhere).ready()
    assert short_queues(QueueDepths(nowhere)) == ()


@pytest.mark.parametrize(("queue", "delay"), [(FIRE, 0.0), (level_name(2), 4.0)])
def test_a_publisher_whose_message_came_back_declares_what_was_deleted(
    app: Celery, queue: str, delay: float
) -> None:
    publisher = ConfirmingPublisher(app, 2.0)
    messages = [wake_up(delay + 0.9)]
    assert publisher.publish(messages) == [True]
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(queue)
    assert publisher.publish(messages) == [False]
    assert publisher.publish(messages) == [True]
