"""The task that a step's wake-up runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from celery import Task

from alertops.services.dispatch import FIRE_STEP
from alertops.services.fire_step import fire_step
from alertops.services.keys import StepKey
from alertops.services.persistence import persistently
from alertops.tracing.woken import firing
from tasks.app import app
from tasks.holding import WakeUpRequest
from tasks.resources import resources

log = structlog.get_logger(__name__)

# A restart or failover of Postgres takes seconds. Whatever it takes longer, recovery fires the step.
PATIENCE_SECONDS = 30


@app.task(name=FIRE_STEP, bind=True, Request=WakeUpRequest)
def fire_step_task(task: Task[Any, Any], execution_id: str, step: int) -> None:
    """Fire a step if it is due and waiting."""
    key = StepKey(UUID(execution_id), step)
    here = resources()
    with structlog.contextvars.bound_contextvars(execution=execution_id, step=step):
        with here.sessions() as session, firing(session, key) as woken:
            woken.reason = persistently(
                session,
                PATIENCE_SECONDS,
                lambda: fire_step(
                    session, here.dispatcher_of(task.request), key, confirmed_only=here.confirm_outsiders
                ),
            )
        log.debug("woken", reason=woken.reason.value)
