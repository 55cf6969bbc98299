"""The marker in the broker that tells whether it still has our messages: an empty, durable queue.

A quorum queue, as those of the wake-ups are, so that it is kept and lost with them.
"""

from __future__ import annotations

from amqp.exceptions import NotFound
from celery import Celery

from tasks.connection import brief_connection
from tasks.queues import marker_queue

# Asking and declaring together must take less than `FROZEN_SECONDS` of recovery, whose lock waits meanwhile.
TIMEOUT_SECONDS = 3.0


class MarkerQueue:
    """See `alertops.services.broker_epoch.BrokerMarker`. Each call connects anew, so never to a dead line."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def exists(self, name: str) -> bool:
        """A passive declaration asks, and makes nothing."""
        with brief_connection(self._app, TIMEOUT_SECONDS) as connection:
            try:
                marker_queue(name).bind(connection.default_channel).queue_declare(passive=True)
            except NotFound:
                return False
            return True

    def declare(self, name: str) -> None:
        with brief_connection(self._app, TIMEOUT_SECONDS) as connection:
            marker_queue(name).bind(connection.default_channel).queue_declare()
