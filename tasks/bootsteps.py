"""Recovery at every connection to the broker, and on a slow tick in between.

`worker_ready` is sent once in a process's life. A consumer step is started at the first connection and
at every reconnection, also after the broker was killed or emptied.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps

from tasks.app import app
from tasks.recover import request_recovery
from tasks.resources import resources


class RecoverySteps(bootsteps.StartStopStep):
    """Ask for recovery when connected, and then at every tick while the connection lasts."""

    requires = ("celery.worker.consumer.delayed_delivery:DelayedDelivery",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._tick: Any = None

    def start(self, parent: Any) -> None:
        request_recovery("connected")
        seconds = resources().timing.recovery_tick
        if seconds:
            self._tick = parent.timer.call_repeatedly(seconds, request_recovery, ("tick",))

    def stop(self, parent: Any) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None


app.steps["consumer"].add(RecoverySteps)
