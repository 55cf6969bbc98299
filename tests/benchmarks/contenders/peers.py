"""What somebody would use instead, each with four processes of twelve threads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import psycopg2
from celery import Celery
from procrastinate import App, SyncPsycopgConnector
from psycopg2.extras import execute_values

from tests.benchmarks.contenders.contender import PROCESSES, THREADS, Workers, pages
from tests.benchmarks.peers.polling import TABLE
from tests.benchmarks.stage import Room

PAGE = 1000


class _Peer:
    """What they have in common."""

    name: str
    module: str

    def __init__(self, room: Room) -> None:
        self.room = room
        environment = {
            "PEER_BROKER_URL": room.addresses.broker_url,
            "PEER_DATABASE_URL": room.dsn,
            "PEER_SMTP_PORT": str(room.stage.sink.port),
        }
        commands = [self.command(number) for number in range(PROCESSES)]
        self._workers = Workers(room.folder, commands, environment, self.ready)

    @property
    def pids(self) -> list[int]:
        return self._workers.pids

    def start(self) -> None:
        self._workers.start()

    def stop(self) -> None:
        self._workers.stop()

    def command(self, number: int) -> tuple[str, ...]:
        raise NotImplementedError

    def ready(self) -> bool:
        """What it reads when it starts is awaited anyway."""
        return True


class CeleryEta(_Peer):
    """See `Contender`."""

    name = "Celery ETA"

    def command(self, number: int) -> tuple[str, ...]:
        application = ("-A", "tests.benchmarks.peers.celery_eta")
        pool = ("--pool", "threads", "--concurrency", str(THREADS))
        return ("celery", *application, "worker", *pool, "--hostname", f"peer{number}@localhost")

    def prepare(self) -> None:
        self._app = Celery(broker=self.room.addresses.broker_url, set_as_current=False)

    def ready(self) -> bool:
        """Whether all of them consume."""
        return len(self._app.control.ping(timeout=2)) == PROCESSES

    def schedule(self, due: Sequence[float]) -> list[str]:
        jobs = [str(uuid4()) for _ in due]
        with self._app.producer_or_acquire() as producer:
            for job, at in zip(jobs, due, strict=True):
                eta = datetime.fromtimestamp(at, UTC)
                self._app.send_task("send_mail", args=[job], eta=eta, producer=producer, ignore_result=True)
        return jobs


class Procrastinate(_Peer):
    """See `Contender`."""

    name = "Procrastinate"

    def command(self, number: int) -> tuple[str, ...]:
        application = "--app=tests.benchmarks.peers.procrastinate_app.app"
        return ("procrastinate", application, "worker", f"--concurrency={THREADS}", f"--name=peer{number}")

    def prepare(self) -> None:
        with self._open() as app:
            app.schema_manager.apply_schema()

    def schedule(self, due: Sequence[float]) -> list[str]:
        jobs = [str(uuid4()) for _ in due]
        by_time: dict[float, list[str]] = {}
        for job, at in zip(jobs, due, strict=True):
            by_time.setdefault(at, []).append(job)
        with self._open() as app:
            for at, together in by_time.items():
                task = app.configure_task("send_mail", schedule_at=datetime.fromtimestamp(at, UTC))
                for page in pages(together, PAGE):
                    task.batch_defer(*({"job": job} for job in page))
        return jobs

    def _open(self) -> App:
        return App(connector=SyncPsycopgConnector(conninfo=self.room.dsn)).open()


class Polling(_Peer):
    """See `Contender`."""

    name = "5 s polling"

    def command(self, number: int) -> tuple[str, ...]:
        return ("tests.benchmarks.peers.polling", str(THREADS))

    def prepare(self) -> None:
        self.room.execute(TABLE)

    def schedule(self, due: Sequence[float]) -> list[str]:
        jobs = [str(uuid4()) for _ in due]
        rows = [(job, datetime.fromtimestamp(at, UTC)) for job, at in zip(jobs, due, strict=True)]
        with psycopg2.connect(self.room.dsn) as connection, connection.cursor() as cursor:
            execute_values(cursor, "INSERT INTO jobs (id, due_at) VALUES %s", rows, page_size=PAGE)
        connection.close()
        return jobs


PEERS = (CeleryEta, Procrastinate, Polling)
