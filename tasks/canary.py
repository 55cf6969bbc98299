"""A canary for each queue of a worker, so that one that no longer hears them is found out.

A worker can be up, answer pings, and no longer be given messages: a consumer that was cancelled, or not
taken up again after a reconnection, or whose unacknowledged messages were lost track of; an event loop or
a pool that stands still. So canaries are sent the way wake-ups are sent (`watch.py`), and it is noted
(`hearing.py`) whether they, or other messages of the queue, begin to run here.

A worker that is deaf says so, asks itself for a warm shutdown, so that what is being sent ends with a
known outcome, and is gone at the latest when that takes longer than a send may. Whoever supervises it
(systemd, a container's restart policy) starts it again; its messages are the broker's again at once.
"""

from __future__ import annotations

import threading
from typing import Any

from celery import bootsteps
from celery.concurrency.thread import TaskPool
from celery.signals import task_prerun, worker_ready
from celery.worker.control import inspect_command

from tasks.app import app
from tasks.hearing import Hearing
from tasks.resources import resources
from tasks.watch import CANARY, Watch

_hearing = Hearing()


@app.task(name=CANARY, send_events=False)
def canary_task() -> None:
    """Does nothing: that it began is what it says, and `hear` has noted that already."""


@worker_ready.connect
def watch(sender: Any = None, **_: Any) -> None:
    """Begin to send canaries, once in a process's life.

    Other pools than threads run tasks in processes of their own, in which this one hears nothing.
    """
    here = resources()
    interval = here.timing.canary_interval
    if not interval or not isinstance(sender.pool, TaskPool):
        return
    _hearing.listen_to(sender.app.amqp.queues.consume_from)
    begun = Watch(_hearing, sender.pool, here.publisher, leave_seconds=here.timing.lease)
    threading.Thread(target=begun.run, args=(interval,), name="canary", daemon=True).start()


class Reconnecting(bootsteps.StartStopStep):
    """Tells when the connection is lost, and when the queues are consumed again."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, _parent: Any) -> None:
        _hearing.consumes()

    def stop(self, _parent: Any) -> None:
        _hearing.reconnects()


app.steps["consumer"].add(Reconnecting)


@task_prerun.connect
def hear(task: Any = None, **_: Any) -> None:
    """Whatever begins to run here was heard."""
    _hearing.heard(task.request.delivery_info["routing_key"])


@inspect_command()
def hearing(_state: Any) -> list[dict[str, Any]]:
    """What `alertops workers` asks each worker for."""
    return [{**heard._asdict(), "deaf": heard.deaf} for heard in _hearing.report()]
