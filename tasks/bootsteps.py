"""Recovery at every connection to the broker, and on a slow tick in between; a prefetch that stays; and mail
servers that are left when there is no more mail for them.

`worker_ready` is sent once in a process's life. A consumer step is started at the first connection and
at every reconnection, also after the broker was killed or emptied.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps

from alertops.channels.kept_sessions import IDLE_SECONDS
from tasks.app import app
from tasks.recover import request_recovery
from tasks.resources import resources


class RecoverySteps(bootsteps.StartStopStep):
    """Ask for recovery when connected, and then at every tick while the connection lasts."""

    requires = ("tasks.consumer:DelayLayer",)

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


class StaticPrefetch(bootsteps.StartStopStep):
    """Do not tell the broker a prefetch that it does not look at.

    Celery raises the prefetch by one for each message that it holds, and lowers it afterwards, each time
    waiting for the broker with its event loop. For a consumer of a quorum queue only what was said before it
    began to consume counts.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        parent.qos.callback = _say_nothing


def _say_nothing(*, prefetch_count: int) -> None:
    """Instead of `basic.qos`."""


class LeaveMailServers(bootsteps.StartStopStep):
    """End sessions with the mail server that nobody needs any more, soon after the last mail."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._tick: Any = None

    def start(self, parent: Any) -> None:
        self._tick = parent.timer.call_repeatedly(IDLE_SECONDS, resources().mailer.close_idle)

    def stop(self, parent: Any) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None


app.steps["consumer"].add(RecoverySteps)
app.steps["consumer"].add(StaticPrefetch)
app.steps["consumer"].add(LeaveMailServers)
