"""Procrastinate: jobs in Postgres, with `schedule_at`. A worker looks for those that are due every 5 s."""

from __future__ import annotations

import os

from procrastinate import App, PsycopgConnector

from tests.benchmarks.peers.mail import send

app = App(connector=PsycopgConnector(conninfo=os.environ.get("PEER_DATABASE_URL", "")))


@app.task(name="send_mail")
def send_mail(job: str) -> None:
    send(job)
