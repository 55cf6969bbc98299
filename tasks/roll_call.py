"""Which workers answer, and what each of them hears; asked over the broker, of the workers themselves."""

from __future__ import annotations

from dataclasses import dataclass

from celery import Celery
from kombu import Connection

from tasks.hearing import Heard


@dataclass(frozen=True)
class Answer:
    """One worker's: for each of its queues, what it heard of it last."""

    worker: str
    queues: list[Heard]

    @property
    def deaf(self) -> bool:
        return any(heard.deaf for heard in self.queues)


def call(connection: Connection, names: list[str] | None, within_seconds: float) -> list[Answer]:
    """The answers that came in this time, of all workers, or of those that are named."""
    app = Celery(broker=connection.as_uri(include_password=True), set_as_current=False)
    replies = app.control.broadcast(
        "hearing", destination=names or None, reply=True, timeout=within_seconds, connection=connection
    )
    return sorted(
        (
            Answer(worker, [Heard(queue["queue"], queue["seconds_ago"], queue["missed"]) for queue in queues])
            for reply in replies or []
            for worker, queues in reply.items()
        ),
        key=lambda answer: answer.worker,
    )
