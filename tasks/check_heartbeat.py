"""The task that a heartbeat's wake-up runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from celery import Task

from alertops.services.dispatch import CHECK_HEARTBEAT
from alertops.services.heartbeats.check_heartbeat import check_heartbeat
from alertops.services.keys import HeartbeatKey
from alertops.services.persistence import persistently
from tasks.app import app
from tasks.fire_step import PATIENCE_SECONDS
from tasks.holding import WakeUpRequest
from tasks.resources import resources

log = structlog.get_logger(__name__)


@app.task(name=CHECK_HEARTBEAT, bind=True, Request=WakeUpRequest)
def check_heartbeat_task(task: Task[Any, Any], heartbeat_id: str, wake: int) -> None:
    """Start the flow of a job that has not pinged in time."""
    key = HeartbeatKey(UUID(heartbeat_id), wake)
    here = resources()
    with structlog.contextvars.bound_contextvars(heartbeat=heartbeat_id, wake=wake):
        with here.sessions() as session:
            found = persistently(
                session,
                PATIENCE_SECONDS,
                lambda: check_heartbeat(session, here.dispatcher_of(task.request), key, here.alert_limit),
            )
        log.debug("woken", found=found.value)
