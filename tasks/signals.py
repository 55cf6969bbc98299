"""What Celery tells, and what we do about it."""

from __future__ import annotations

from typing import Any

from celery.signals import setup_logging, worker_init, worker_ready

from alertops.config import load_settings
from alertops.garbage import look_for_garbage_less_often
from alertops.logs import configure_logging
from alertops.threads import take_turns_quickly
from alertops.tracing import start_tracing
from tasks.recover import request_recovery


@setup_logging.connect
def configure_logs(**_: Any) -> None:
    """Connected, this also keeps Celery from setting up its own logging."""
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)


@worker_init.connect
def trace(**_: Any) -> None:
    start_tracing(wanted=load_settings().tracing, service="alertops-worker")


@worker_init.connect
def share_the_interpreter(**_: Any) -> None:
    take_turns_quickly()


@worker_ready.connect
def spare_the_interpreter(**_: Any) -> None:
    look_for_garbage_less_often()


@worker_ready.connect
def recover_when_ready(**_: Any) -> None:
    request_recovery("worker_ready")
