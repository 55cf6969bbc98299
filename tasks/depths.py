"""How many messages wait in each queue, and how many workers listen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amqp.exceptions import NotFound
from celery import Celery
from kombu import Connection

from alertops.services.measure import QueueDepth, Queues
from tasks.connection import brief_connection
from tasks.queues import DEAD_LETTER_QUEUE, task_queues

# Together with asking for the marker it must take less than `FROZEN_SECONDS` of recovery, whose lock waits.
TIMEOUT_SECONDS = 1.0


class QueueDepths:
    """See `alertops.services.measure.QueueReader` and `alertops.services.backlog.ReadyMessages`."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def read(self) -> Queues:
        with brief_connection(self._app, TIMEOUT_SECONDS) as connection:
            dead = _depth(connection, DEAD_LETTER_QUEUE.name)
            depths = _depths(connection)
        there = {name: depth for name, depth in depths.items() if depth is not None}
        return Queues(there, dead_letters=None if dead is None else dead.ready)

    def ready(self) -> Mapping[str, int]:
        """Where there is no queue, no message waits in it."""
        with brief_connection(self._app, TIMEOUT_SECONDS) as connection:
            depths = _depths(connection)
        return {name: 0 if depth is None else depth.ready for name, depth in depths.items()}


def _depths(connection: Connection) -> dict[str, QueueDepth | None]:
    return {queue.name: _depth(connection, queue.name) for queue in task_queues()}


def _depth(connection: Connection, name: str) -> QueueDepth | None:
    """A passive declaration asks, and makes nothing. Its channel does not outlive a queue that is missing."""
    channel: Any = connection.channel()
    try:
        answer = channel.queue_declare(name, passive=True)
    except NotFound:
        return None
    channel.close()
    return QueueDepth(ready=answer.message_count, consumers=answer.consumer_count)
