"""How many messages stand in the queues that workers consume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amqp.exceptions import NotFound
from celery import Celery
from kombu import Connection

from tasks.connection import brief_connection
from tasks.queues import task_queues

# Together with asking for the marker it must take less than `FROZEN_SECONDS` of recovery, whose lock waits.
TIMEOUT_SECONDS = 1.0


class ReadyInQueues:
    """See `alertops.services.backlog.ReadyMessages`."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def ready(self) -> Mapping[str, int]:
        with brief_connection(self._app, TIMEOUT_SECONDS) as connection:
            return {queue.name: _ready(connection, queue.name) for queue in task_queues()}


def _ready(connection: Connection, queue: str) -> int:
    """A passive declaration asks, and makes nothing; where there is no queue, no message waits in it."""
    # A channel for each queue, as the answer that there is none closes it.
    channel: Any = connection.channel()
    try:
        answer = channel.queue_declare(queue, passive=True)
    except NotFound:
        return 0
    return int(answer.message_count)
