"""Included by a worker that is to be made deaf: its event loop stands still when it is told to."""

from __future__ import annotations

import time
from typing import Any

from celery.worker.control import control_command


@control_command()
def stand_still(_state: Any) -> None:
    """Control commands run in the event loop: while this one sleeps, nothing is received."""
    time.sleep(3600)
