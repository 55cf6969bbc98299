"""On a real RabbitMQ: how many messages wait, and who listens."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from uuid import uuid4

import pytest
from celery import Celery
from kombu import Connection, Consumer, Producer

from alertops.errors import BrokerUnavailableError
from alertops.services.dispatch import FIRE_STEP, Message
from alertops.services.measure import QueueDepth, Queues
from deploy.local.stack import PrivateStack
from tasks.depths import QueueDepths
from tasks.publisher import ConfirmingPublisher
from tasks.queues import DEAD_LETTER_EXCHANGE, FIRE, RECOVERY, marker_queue, task_queues
from tests.figures import read_figures
from tests.integration.conftest import RecordingPublisher, application

IDLE = QueueDepth(ready=0, consumers=0)
BULK_LANES = ("fire.bulk", "send.email.bulk", "send.webhook.bulk", "send.events.bulk", "send.apprise.bulk")


@pytest.fixture
def broker_url(stack: PrivateStack) -> Iterator[str]:
    """A vhost of the test's own, with nothing in it."""
    if stack.rabbitmq not in stack.servers:
        pytest.skip("needs a RabbitMQ of its own, and the environment names one")
    name = f"depths_{uuid4().hex[:8]}"
    yield stack.rabbitmq.create_vhost(name)
    stack.rabbitmq.delete_vhost(name)


@pytest.fixture
def app(broker_url: str) -> Celery:
    return Celery(broker=broker_url, set_as_current=False)


@pytest.fixture
def publisher_of_wake_ups(app: Celery) -> Iterator[ConfirmingPublisher]:
    publisher = ConfirmingPublisher(app, 2.0)
    publisher.prepare()
    yield publisher
    publisher._forget_lines()


@pytest.fixture
def connection(app: Celery) -> Iterator[Connection]:
    with app.connection_for_write() as connection:
        yield connection


def wake_ups(count: int) -> list[Message]:
    return [Message(FIRE_STEP, (str(uuid4()), 1), FIRE, 0.0) for _ in range(count)]


def test_an_empty_broker_has_no_queues_and_asking_makes_none(app: Celery) -> None:
    assert QueueDepths(app).read() == Queues({}, None)
    assert QueueDepths(app).read() == Queues({}, None)


def test_a_single_queue_that_is_missing_hides_no_other(
    app: Celery, connection: Connection, publisher_of_wake_ups: ConfirmingPublisher
) -> None:
    connection.default_channel.queue_delete(FIRE)
    found = QueueDepths(app).read()
    assert found == Queues(
        dict.fromkeys(
            (
                *BULK_LANES,
                "send.email",
                "send.webhook",
                "send.events",
                "send.apprise",
                "send.letters",
                RECOVERY,
            ),
            IDLE,
        ),
        dead_letters=0,
    )


def test_waiting_messages_and_listening_workers_are_counted(
    app: Celery, connection: Connection, publisher_of_wake_ups: ConfirmingPublisher
) -> None:
    assert publisher_of_wake_ups.publish(wake_ups(3)) == [True] * 3
    recovery = next(queue for queue in task_queues() if queue.name == RECOVERY)
    Producer(connection).publish({}, exchange=DEAD_LETTER_EXCHANGE.name, routing_key="x")
    with Consumer(connection, [recovery], callbacks=[lambda *_: None]):
        found = QueueDepths(app).read()
    assert found.depths == {
        FIRE: QueueDepth(ready=3, consumers=0),
        "send.email": IDLE,
        "send.webhook": IDLE,
        "send.events": IDLE,
        "send.apprise": IDLE,
        "send.letters": IDLE,
        **dict.fromkeys(BULK_LANES, IDLE),
        RECOVERY: QueueDepth(ready=0, consumers=1),
    }
    assert found.dead_letters == 1


def test_they_are_shown_to_whoever_scrapes(
    broker_url: str,
    database_url: str,
    publisher: RecordingPublisher,
    publisher_of_wake_ups: ConfirmingPublisher,
) -> None:
    publisher_of_wake_ups.publish(wake_ups(2))
    client = application(database_url, publisher, broker_url).test_client()
    figures = read_figures(client.get("/metrics").text)
    assert figures["alertops_broker_up"] == 1
    assert figures['alertops_queue_ready{queue="fire"}'] == 2
    assert figures['alertops_queue_consumers{queue="send.email"}'] == 0
    assert figures["alertops_dead_letters"] == 0


def test_a_broker_that_is_not_there_is_no_answer_and_soon() -> None:
    began = perf_counter()
    with pytest.raises(BrokerUnavailableError):
        QueueDepths(Celery(broker="amqp://nobody:nothing@127.0.0.1:1/", set_as_current=False)).read()
    assert perf_counter() - began < 1


def test_a_broker_that_hangs_is_no_answer_within_a_bounded_time(silent_address: str) -> None:
    began = perf_counter()
    with pytest.raises(BrokerUnavailableError):
        QueueDepths(Celery(broker=f"amqp://u:p@{silent_address}/", set_as_current=False)).read()
    assert perf_counter() - began < 5


def test_the_markers_of_epochs_are_not_among_them(app: Celery, connection: Connection) -> None:
    marker_queue("alertops.epoch.1").bind(connection.default_channel).declare()
    assert QueueDepths(app).read() == Queues({}, None)
