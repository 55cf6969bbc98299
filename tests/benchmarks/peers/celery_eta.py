"""Plain Celery: tasks with an ETA, and workers with threads. A worker holds every task until its time."""

from __future__ import annotations

import os

from celery import Celery

from tests.benchmarks.peers.mail import send

app = Celery("peer", broker=os.environ.get("PEER_BROKER_URL"), set_as_current=False)
app.conf.task_ignore_result = True


@app.task(name="send_mail")
def send_mail(job: str) -> None:
    send(job)
