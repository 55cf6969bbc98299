"""A consumer that looks for its broker often, however long the broker was away.

Celery's own pauses between tries grow by 2 s, up to 30 s. After an outage of a minute and a half a worker
could stay away for longer than the repair takes that is promised.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

PAUSE_SECONDS = 2


class Consumer(CeleryConsumer):
    """Celery's consumer, with a constant pause between tries to connect."""

    def ensure_connected(self, conn: Any) -> Any:
        # Celery calls it without intervals, and has no setting for them.
        conn.ensure_connection = partial(conn.ensure_connection, interval_step=0, interval_max=PAUSE_SECONDS)
        return super().ensure_connected(conn)
