"""On a real RabbitMQ: the marker is there until it is lost, and deleted queues are declared again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from celery import Celery
from kombu.transport.native_delayed_delivery import level_name

from alertops.errors import BrokerUnavailableError
from alertops.services.dispatch import FIRE_STEP, Message
from deploy.local.stack import PrivateStack
from tasks.epoch import MarkerQueue
from tasks.publisher import ConfirmingPublisher
from tasks.queues import FIRE

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


@pytest.mark.parametrize(("queue", "delay"), [(FIRE, 0.0), (level_name(2), 4.0)])
def test_a_publisher_whose_message_came_back_declares_what_was_deleted(
    app: Celery, queue: str, delay: float
) -> None:
    publisher = ConfirmingPublisher(app, 2.0)
    messages = [Message(FIRE_STEP, (str(uuid4()), 1), FIRE, delay + 0.9)]
    assert publisher.publish(messages) == [True]
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(queue)
    assert publisher.publish(messages) == [False]
    assert publisher.publish(messages) == [True]
