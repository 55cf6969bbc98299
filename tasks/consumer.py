"""Celery's consumer, where its ways are not ours.

It looks for a broker that is away at ever longer intervals, up to 30 s: after an outage of a minute and a
half a worker could stay away for longer than the repair takes that is promised. And it acknowledges, so
deletes, a message that it cannot decode; here that becomes a dead letter.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import structlog
from celery.worker.consumer import Consumer as CeleryConsumer

PAUSE_SECONDS = 2

log = structlog.get_logger(__name__)


class Consumer(CeleryConsumer):
    """Pauses are constant between tries to connect, and nothing unreadable is lost."""

    def ensure_connected(self, conn: Any) -> Any:
        # Celery calls it without intervals, and has no setting for them.
        conn.ensure_connection = partial(conn.ensure_connection, interval_step=0, interval_max=PAUSE_SECONDS)
        return super().ensure_connected(conn)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        log.error("message_unreadable", error=str(exc), next="see: alertops dead-letters list")
        message.reject()
