"""The broker: reachable, new enough, and with all that a wake-up passes through.

Policies and bindings cannot be asked over AMQP; whoever declares a queue anew is told when one is in its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from amqp.exceptions import AMQPError, NotFound, PreconditionFailed
from kombu import Connection, Queue
from kombu.exceptions import KombuError
from kombu.transport.native_delayed_delivery import (
    CELERY_DELAYED_DELIVERY_EXCHANGE,
    MAX_LEVEL,
    level_name,
)

from alertops.cli.broker import tries
from alertops.cli.doctor.finding import ANSWER_SECONDS, Finding, one_line
from alertops.config import Settings
from tasks.queues import DEAD_LETTER_QUEUE, task_queues

OLDEST = (3, 10)
START = "start a worker that takes from it (`celery -A tasks worker -Q {queue}`), and see its log"


def check(settings: Settings) -> Iterator[Finding]:
    """Ask in one connection; when there is none, nothing else can be told."""
    try:
        with Connection(settings.broker_url, connect_timeout=ANSWER_SECONDS) as connection:
            connection.ensure_connection(max_retries=tries(settings.broker_url), interval_start=0)
            connection.connection.sock.settimeout(ANSWER_SECONDS)
            yield _version(connection)
            for queue in task_queues():
                yield _queue(connection, queue)
            yield _dead_letters(connection)
            yield _delays(connection)
    except (AMQPError, KombuError, OSError) as error:
        yield Finding(
            "broker",
            f"does not serve us: {one_line(error)}",
            "start RabbitMQ, and compare ALERTOPS_BROKER_URL: host, port, virtual host, user, password",
        )


def _version(connection: Connection) -> Finding:
    version = str(connection.connection.server_properties.get("version", "unknown"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        needed = ".".join(map(str, OLDEST))
        return Finding("broker", f"RabbitMQ {version}", f"upgrade RabbitMQ to {needed} or newer")
    return Finding("broker", f"RabbitMQ {version}")


def _queue(connection: Connection, queue: Queue) -> Finding:
    about = f"queue {queue.name}"
    depth = _depth(connection, queue.name)
    if depth is None:
        return Finding(about, "is not there", START.format(queue=queue.name))
    conflict = _conflict(connection, queue)
    if conflict is not None:
        return Finding(
            about,
            f"is not what we declare: {conflict}",
            "stop the workers, delete it, start them: recovery dispatches again what was in it",
        )
    ready, consumers = depth
    found = f"{ready} messages wait, {consumers} workers listen"
    return Finding(about, found, None if consumers else START.format(queue=queue.name))


def _dead_letters(connection: Connection) -> Finding:
    about = f"queue {DEAD_LETTER_QUEUE.name}"
    depth = _depth(connection, DEAD_LETTER_QUEUE.name)
    if depth is None:
        return Finding(about, "is not there", "start a worker: it declares the queue")
    ready = depth[0]
    if ready:
        advice = "`alertops dead-letters list` says what they are, `requeue` gives them back"
        return Finding(about, f"{ready} messages that nobody could work on", advice)
    return Finding(about, "empty")


def _delays(connection: Connection) -> Finding:
    """A wake-up waits in queues of powers of two seconds, and comes out by one exchange."""
    levels = [level_name(level) for level in range(MAX_LEVEL + 1)]
    missing = [f"queue {name}" for name in levels if _depth(connection, name) is None]
    exchanges = [*levels, CELERY_DELAYED_DELIVERY_EXCHANGE]
    missing += [f"exchange {name}" for name in exchanges if not _has_exchange(connection, name)]
    if missing:
        found = f"{len(missing)} parts are not there, {missing[0]} the first"
        return Finding("delayed delivery", found, "start a worker: it declares them")
    return Finding("delayed delivery", f"{len(levels)} queues, {len(exchanges)} exchanges")


def _depth(connection: Connection, name: str) -> tuple[int, int] | None:
    """Messages and consumers; a passive declaration asks, and makes nothing."""
    channel: Any = connection.channel()
    try:
        answer = channel.queue_declare(name, passive=True)
    except NotFound:
        return None
    channel.close()
    return answer.message_count, answer.consumer_count


def _has_exchange(connection: Connection, name: str) -> bool:
    channel: Any = connection.channel()
    try:
        channel.exchange_declare(name, "topic", passive=True)
    except NotFound:
        return False
    channel.close()
    return True


def _conflict(connection: Connection, queue: Queue) -> str | None:
    """Declaring what is there already changes nothing, and is refused when it is something else."""
    channel: Any = connection.channel()
    try:
        channel.queue_declare(
            queue.name, durable=True, auto_delete=False, arguments=dict(queue.queue_arguments or {})
        )
    except PreconditionFailed as error:
        return one_line(error)
    channel.close()
    return None
