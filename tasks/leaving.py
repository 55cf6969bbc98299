"""A worker that is told to leave gives back at once what it has not begun.

Celery's warm shutdown (SIGTERM) lets running tasks end, and closes its connection only then. Until that,
which may be a whole send deadline, the broker keeps for this worker what it holds besides: messages that
wait for the last fraction of a second, or for a thread. Here they go back to their queue first, so that
another host has them at once.
"""

from __future__ import annotations

from typing import Any, cast

import structlog
from celery import bootsteps
from celery.concurrency.thread import TaskPool
from celery.worker import state

from tasks.app import app
from tasks.brokers import BROKER_ERRORS

log = structlog.get_logger(__name__)


class GiveBack(bootsteps.StartStopStep):
    """Closed before anything is stopped: the pool still works, and the connection is open."""

    requires = ("celery.worker.components:Pool",)

    def close(self, worker: Any) -> None:
        # Other pools do not say which tasks they have not begun.
        if not isinstance(worker.pool, TaskPool) or worker.consumer.task_consumer is None:
            return
        try:
            # In this order: nothing new arrives, nothing that waits begins, and what is left is given back.
            worker.consumer.task_consumer.cancel()
            executor = cast(Any, worker.pool).executor  # which Celery's stubs do not know
            executor.shutdown(wait=False, cancel_futures=True)
            returned = _return_held_messages()
        except BROKER_ERRORS as error:
            # Then the connection is gone, and the broker has them all back.
            log.warning("leaving_unconnected", error=str(error))
            return
        log.info("leaving", returned=returned, finishing=len(state.active_requests))


def _return_held_messages() -> int:
    """A task that begins in this very moment is returned as well: two copies, of which one does nothing."""
    scheduled = cast(Any, state).scheduled_requests  # nor these
    held = {*scheduled, *state.reserved_requests} - {*state.active_requests}
    waiting = [request.message for request in held if not request.message.acknowledged]
    for message in waiting:
        message.reject(requeue=True)
    return len(waiting)


app.steps["worker"].add(GiveBack)
