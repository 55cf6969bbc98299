"""The task that an attempt's wake-up runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from celery import Task

from alertops.services.dispatch import SEND_ATTEMPT
from alertops.services.keys import AttemptKey
from alertops.services.send_attempt import send_attempt
from alertops.tracing.woken import sending
from tasks.app import app
from tasks.holding import WakeUpRequest
from tasks.resources import resources

log = structlog.get_logger(__name__)


@app.task(name=SEND_ATTEMPT, bind=True, Request=WakeUpRequest)
def send_attempt_task(task: Task[Any, Any], execution_id: str, step: int, target: int, attempt: int) -> None:
    """Send an attempt if it is due and free."""
    key = AttemptKey(UUID(execution_id), step, target, attempt)
    here = resources()
    with structlog.contextvars.bound_contextvars(
        execution=execution_id, step=step, target=target, attempt=attempt
    ):
        with here.sessions() as session, sending(session, key) as woken:
            dispatcher = here.dispatcher_of(task.request)
            woken.reason = send_attempt(session, dispatcher, here.channels, here.timing, key)
            # What subscribers are told of it, if it was claimed and then lost: nothing else was dispatched.
            dispatcher.dispatch(session, [])
        log.debug("woken", reason=woken.reason.value)
