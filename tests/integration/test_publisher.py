"""On a real RabbitMQ: a large batch arrives whole and in order, and each message's fate is told apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from celery import Celery
from kombu import Queue

from alertops.services.dispatch import FIRE_STEP, Message
from deploy.local import ports
from deploy.local.stack import PrivateStack
from tasks.brokers import nodes
from tasks.depths import QueueDepths
from tasks.epoch import MarkerQueue
from tasks.publisher import ConfirmingPublisher
from tasks.queues import FIRE

# More than fits into one piece of what is gathered, so that some is written before the batch is complete.
MANY = 300


@pytest.fixture
def app(stack: PrivateStack) -> Iterator[Celery]:
    if stack.rabbitmq not in stack.servers:
        pytest.skip("needs a RabbitMQ of its own, and the environment names one")
    vhost = f"publisher_{uuid4().hex[:8]}"
    yield Celery(broker=stack.rabbitmq.create_vhost(vhost), set_as_current=False)
    stack.rabbitmq.delete_vhost(vhost)


@pytest.fixture
def publisher(app: Celery) -> ConfirmingPublisher:
    return ConfirmingPublisher(app, 5.0)


def wake_up(number: int, queue: str = FIRE) -> Message:
    return Message(FIRE_STEP, ("an execution", number), queue, 0.0)


def taken(app: Celery) -> list[tuple[object, ...]]:
    """The arguments of the wake-ups in the queue, in its order."""
    arguments = []
    with app.connection_for_write() as connection:
        queue = Queue(FIRE).bind(connection.default_channel)
        while message := queue.get(no_ack=True):
            arguments.append(tuple(message.decode()[0]))
    return arguments


def test_a_large_batch_arrives_whole_and_in_order(app: Celery, publisher: ConfirmingPublisher) -> None:
    batch = [wake_up(number) for number in range(MANY)]
    assert publisher.publish(batch) == [True] * MANY
    assert taken(app) == [message.args for message in batch]


def test_messages_without_a_queue_are_told_from_the_others_of_their_batch(
    app: Celery, publisher: ConfirmingPublisher
) -> None:
    batch = [wake_up(number, FIRE if number % 3 else "nowhere") for number in range(MANY)]
    assert publisher.publish(batch) == [number % 3 != 0 for number in range(MANY)]
    assert taken(app) == [message.args for message in batch if message.routing_key == FIRE]


def test_batches_on_one_line_follow_each_other(app: Celery, publisher: ConfirmingPublisher) -> None:
    publisher.prepare()
    for number in range(3):
        assert publisher.publish([wake_up(number)]) == [True]
    assert taken(app) == [("an execution", number) for number in range(3)]


def test_a_node_that_is_away_costs_the_first_message_a_moment_and_the_others_nothing(app: Celery) -> None:
    """Whoever is asked first refuses, as a node does whose machine is up and whose broker is not."""
    away = f"amqp://nobody:nothing@{ports.ADDRESS}:{ports.choose()}/"
    both = Celery(broker=f"{away};{app.conf.broker_write_url}", set_as_current=False)
    for number in range(3):
        # Each begins anew, as a process does after a fault.
        publisher = ConfirmingPublisher(both, 5.0)
        started = time.monotonic()
        assert publisher.publish([wake_up(number)]) == [True]
        assert time.monotonic() - started < 5.0
    assert taken(app) == [("an execution", number) for number in range(3)]
    assert nodes(both)._urls[-1] == away


def test_each_question_is_asked_of_a_node_that_is_there(app: Celery, publisher: ConfirmingPublisher) -> None:
    publisher.publish([wake_up(1)])
    away = f"amqp://nobody:nothing@{ports.ADDRESS}:{ports.choose()}/"
    both = Celery(broker=f"{away};{app.conf.broker_write_url}", set_as_current=False)
    assert QueueDepths(both).ready()[FIRE] == 1
    marker = MarkerQueue(both)
    assert not marker.exists("alertops.epoch.test")
    marker.declare("alertops.epoch.test")
    assert marker.exists("alertops.epoch.test")
