"""A task that raises is tried again at once, a few times, before its message is set aside.

Celery gives up at the first failure. Here the message goes back to its queue, and the broker counts how
often it was delivered::

    delivered ──raises──▶ back on its queue ──...──▶ the fifth time ──▶ dead-letter queue

What is expected to fail for a while (a database that restarts, a broker that is away) is dealt with where
it fails, and does not get here. Nor is an alert lost with its message: recovery wakes its row again, later.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery import Task
from celery.exceptions import Ignore, Reject, Retry
from celery.worker.request import Request

TRIES = 5
# Celery's own signals, and what ends a process, are no failures of a task.
NOT_RAISED = (Ignore, Reject, Retry, SystemExit, KeyboardInterrupt, MemoryError)

log = structlog.get_logger(__name__)


class PoisonLimitedRequest(Request):
    """One message that a worker was given."""

    def on_failure(self, exc_info: Any, *arguments: Any, **options: Any) -> Any:
        error = exc_info.exception
        if isinstance(error, NOT_RAISED) or self._tries() >= TRIES:
            return super().on_failure(exc_info, *arguments, **options)
        log.warning(
            "task_raised",
            task=self.name,
            id=self.id,
            args=self.argsrepr,
            tries=self._tries(),
            error=repr(error),
        )
        # What Celery does with this is what is wanted: the message goes back, and the request is over.
        exc_info.exception = Reject(repr(error), requeue=True)
        return super().on_failure(exc_info, *arguments, **options)

    def _tries(self) -> int:
        """Deliveries until now; one that a worker gave back, or died with, counts as well."""
        return int(self.message.headers.get("x-delivery-count", 0)) + 1


class PoisonLimitedTask(Task):  # type: ignore[type-arg]  # generic in its stubs alone
    """What every task of ours is."""

    Request = "tasks.poison:PoisonLimitedRequest"
