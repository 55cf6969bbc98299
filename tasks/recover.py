"""The recovery task, and how to ask for it."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from alertops.services.persistence import may_pass
from alertops.services.recover import recover
from tasks.app import app
from tasks.brokers import BROKER_ERRORS
from tasks.depths import QueueDepths
from tasks.epoch import MarkerQueue
from tasks.queues import RECOVERY
from tasks.resources import resources

log = structlog.get_logger(__name__)

DATABASE_ERRORS = (DBAPIError, PoolTimeoutError)

# A request that nobody took in this time is stale: the next one is on its way.
EXPIRES_SECONDS = 60

# After a reconnection the connection that requests are published on is still the dead one: the first
# publish finds that out, the second is on a new one.
SECOND_TRY = {"max_retries": 1, "interval_start": 0}


@app.task(name="alertops.recover")
def recover_task(trigger: str) -> None:
    """Dispatch again what was lost; `trigger` says who asked."""
    with structlog.contextvars.bound_contextvars(trigger=trigger):
        here = resources()
        marker, queues = MarkerQueue(app), QueueDepths(app)
        try:
            recovered = recover(here.sessions, here.dispatcher, marker, queues, here.timing)
        except DATABASE_ERRORS as error:
            if not may_pass(error):
                raise
            # Nobody waits for this run: it is not tried again, and it makes no dead letter.
            log.warning("recovery_interrupted", error=type(error).__name__, next="the next tick goes on")
            return
        log.debug("recovery_ran" if recovered else "recovery_runs_elsewhere")


def request_recovery(trigger: str) -> None:
    """Put a recovery task on its queue. A broker that does not take it is about to be reconnected to."""
    try:
        recover_task.apply_async(
            args=(trigger,), queue=RECOVERY, expires=EXPIRES_SECONDS, retry=True, retry_policy=SECOND_TRY
        )
    except BROKER_ERRORS as error:
        log.warning("recovery_not_requested", trigger=trigger, error=str(error), next="the next tick asks")
