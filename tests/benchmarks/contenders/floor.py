"""The floor as a contender: see `floor/escalate.py`."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import psycopg2
from psycopg2.extras import execute_values

from tests.benchmarks.contenders.contender import Workers
from tests.benchmarks.figures import FLOOR
from tests.benchmarks.floor.escalate import FIRE, SEND, TABLE
from tests.benchmarks.floor.wires import BODY, connect, declare, persistent
from tests.benchmarks.stage import Room

# Two hosts, as ours.
FIRING, SENDING = ("fire", "8"), ("send", "16")


class Floor:
    """See `Contender`."""

    name = FLOOR

    def __init__(self, room: Room) -> None:
        self.room = room
        module = "tests.benchmarks.floor.escalate"
        environment = {
            "PEER_BROKER_URL": room.addresses.broker_url,
            "PEER_DATABASE_URL": room.dsn,
            "PEER_SMTP_PORT": str(room.stage.sink.port),
        }
        commands = [(module, *kind) for kind in (FIRING, SENDING, FIRING, SENDING)]
        self._workers = Workers(room.folder, commands, environment)

    @property
    def pids(self) -> list[int]:
        return self._workers.pids

    def prepare(self) -> None:
        self.room.execute(TABLE)
        declare(self.room.addresses.broker_url, FIRE, SEND)

    def start(self) -> None:
        self._workers.start()

    def stop(self) -> None:
        self._workers.stop()

    def schedule(self, due: Sequence[float]) -> list[str]:
        jobs = [str(uuid4()) for _ in due]
        with psycopg2.connect(self.room.dsn) as connection, connection.cursor() as cursor:
            execute_values(cursor, "INSERT INTO jobs (id) VALUES %s", [(job,) for job in jobs])
        connection.close()
        with connect(self.room.addresses.broker_url) as broker, broker.channel() as channel:
            for job, at in zip(jobs, due, strict=True):
                body = f"{at!r} {job} {BODY.decode()}"
                channel.basic_publish(persistent(body), routing_key=FIRE)
        return jobs
