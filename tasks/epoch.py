"""The marker in the broker that tells whether it still has our messages: an empty, durable queue.

A quorum queue, as those of the wake-ups are, so that it is kept and lost with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import NotFound
from celery import Celery

from alertops.errors import BrokerUnavailableError
from tasks.publisher import BROKER_ERRORS
from tasks.queues import marker_queue

# Asking and declaring together must take less than `FROZEN_SECONDS` of recovery, whose lock waits meanwhile.
TIMEOUT_SECONDS = 3.0


class MarkerQueue:
    """See `alertops.services.broker_epoch.BrokerMarker`. Each call connects anew, so never to a dead line."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def exists(self, name: str) -> bool:
        """A passive declaration asks, and makes nothing."""
        with self._channel() as channel:
            try:
                marker_queue(name).bind(channel).queue_declare(passive=True)
            except NotFound:
                return False
            return True

    def declare(self, name: str) -> None:
        with self._channel() as channel:
            marker_queue(name).bind(channel).queue_declare()

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        limits = {"read_timeout": TIMEOUT_SECONDS, "write_timeout": TIMEOUT_SECONDS, "max_retries": 0}
        connection = self._app.connection_for_write(
            heartbeat=0, connect_timeout=TIMEOUT_SECONDS, transport_options=limits
        )
        try:
            yield connection.default_channel
        except BROKER_ERRORS as error:
            raise BrokerUnavailableError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.collect(socket_timeout=1)
