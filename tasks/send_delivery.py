"""The task that the wake-up of an event's delivery runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from celery import Task

from alertops.services.deliveries.send_delivery import send_delivery
from alertops.services.dispatch import SEND_DELIVERY
from tasks.app import app
from tasks.holding import WakeUpRequest
from tasks.resources import resources

log = structlog.get_logger(__name__)


@app.task(name=SEND_DELIVERY, bind=True, Request=WakeUpRequest)
def send_delivery_task(task: Task[Any, Any], delivery_id: str) -> None:
    """Deliver an event if it is due, free, and the first of its line."""
    here = resources()
    with structlog.contextvars.bound_contextvars(delivery=delivery_id):
        with here.sessions() as session:
            dispatcher = here.dispatcher_of(task.request)
            told = send_delivery(session, dispatcher, here.outlet, here.timing, UUID(delivery_id))
        log.debug("woken", told=told.value)
