"""The task that a timer's wake-up runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from celery import Task

from alertops.services.dispatch import FIRE_TIMER
from alertops.services.fire_timer import fire_timer
from alertops.services.keys import TimerKey
from alertops.services.persistence import persistently
from alertops.tracing.woken import timing
from tasks.app import app
from tasks.fire_step import PATIENCE_SECONDS
from tasks.holding import WakeUpRequest
from tasks.resources import resources

log = structlog.get_logger(__name__)


@app.task(name=FIRE_TIMER, bind=True, Request=WakeUpRequest)
def fire_timer_task(task: Task[Any, Any], execution_id: str, timer: int) -> None:
    """Do what the timer is for, if it is due and waiting."""
    key = TimerKey(UUID(execution_id), timer)
    here = resources()
    with structlog.contextvars.bound_contextvars(execution=execution_id, timer=timer):
        with here.sessions() as session, timing(key) as woken:
            woken.reason = persistently(
                session, PATIENCE_SECONDS, lambda: fire_timer(session, here.dispatcher_of(task.request), key)
            )
        log.debug("woken", reason=woken.reason.value)
