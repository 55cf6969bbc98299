"""The Celery application."""

from __future__ import annotations

from celery import Celery

app = Celery(
    "alertops",
    config_source="celeryconfig",
    task_cls="tasks.poison:PoisonLimitedTask",
    set_as_current=True,
)
