"""How long until an emptied broker is filled again? A part of the run of all benchmarks; and, for any numbers
of steps, `python -m tests.benchmarks.recovery [N ...]`.

N executions wait, each with one step that comes due in one to two hours, and the broker has never seen
any of them. One recovery run dispatches them all; the time, and by how much the process grew meanwhile.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psutil
from celery import Celery
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text

from alertops.config import Timing
from alertops.db import session_factory
from alertops.logs import configure_logging
from alertops.schema import migrate
from alertops.services.dispatch import Dispatcher
from alertops.services.recover import Recovered, recover
from deploy.local.databases import create_database, drop_database
from deploy.local.stack import PrivateStack
from tasks.depths import QueueDepths
from tasks.epoch import MarkerQueue
from tasks.publisher import ConfirmingPublisher
from tests.benchmarks.benchmark import Benchmark, Turn
from tests.benchmarks.figures import OURS, Sample
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.stage import Stage

ROOT = Path(".local/bench-recovery")
SIZES = (1_000, 10_000, 100_000)
MIB = 2**20

WAITING_STEPS = """
    WITH team AS (INSERT INTO teams (name) VALUES ('Benchmark') RETURNING id),
    flow AS (
        INSERT INTO flows (team_id, name, revision_number) SELECT id, 'Flow', 1 FROM team
        RETURNING id, team_id
    ),
    revision AS (
        INSERT INTO revisions (flow_id, number, definition) SELECT id, 1, '{}' FROM flow RETURNING flow_id
    ),
    opened AS (
        INSERT INTO executions
            (team_id, flow_id, revision_number, status, summary, severity, details, anchor_at)
        SELECT team_id, id, 1, 'running', 'Benchmark', 'info', '{}', now()
        FROM flow, revision, generate_series(1, :rows)
        RETURNING id
    )
    INSERT INTO steps
        (execution_id, number, round, node_index, node_id, node_name, status, planned_at, due_at, created_at,
         dispatched_at)
    SELECT id, 1, 0, 0, 'n', 'n', 'waiting', due_at, due_at, ago, ago
    FROM (SELECT id, now() + (1 + random()) * interval '1 hour' AS due_at FROM opened) AS _,
         (SELECT now() - interval '1 hour' AS ago) AS __
"""

console = Console()


class Measured(NamedTuple):
    """The processor time is this process's, and does not depend on what else the machine does."""

    rows: int
    seconds: float
    processor_seconds: float
    grown_mib: float


@contextmanager
def turns(stage: Stage, sizes: Sizes) -> Iterator[Sequence[Turn]]:
    # The first run imports and connects; its time and memory are not those of the rows.
    measure(stage.stack, 10)
    # The largest takes as long as all the others together, and shows by itself how it grows.
    most = max(sizes.waiting)
    yield [
        Turn(f"{rows:,} waiting", partial(_samples, stage.stack, rows), rounds=1 if rows == most else None)
        for rows in sizes.waiting
    ]


BENCHMARK = Benchmark("recovery", "An emptied broker is filled again", turns)


def _samples(stack: PrivateStack, rows: int) -> Iterator[Sample]:
    _, seconds, used, grown = measure(stack, rows)
    case = f"{rows:,} waiting"
    yield Sample(OURS, "until all were dispatched", seconds, "s", case)
    yield Sample(OURS, "steps dispatched", rows / seconds, "/s", case)
    yield Sample(OURS, "CPU a step", used * 1000 / rows, "ms", case)
    yield Sample(OURS, "memory more at its peak", grown, "MiB", case)


def main() -> None:
    configure_logging("console", "WARNING")
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    with PrivateStack(ROOT, report=console.log) as stack:
        # The first run imports and connects; its time and memory are not those of the rows.
        measure(stack, 100)
        results = [measure(stack, size) for size in sizes]
    console.print(_table(results))


def measure(stack: PrivateStack, rows: int) -> Measured:
    """One run on a database and a vhost of its own."""
    name = f"recovery_{uuid4().hex[:8]}"
    database_url = create_database(stack.addresses.database_url, name)
    app = Celery(broker=stack.rabbitmq.create_vhost(name))
    sessions = session_factory(database_url)
    try:
        _insert(database_url, rows)
        publisher = ConfirmingPublisher(app, Timing().publish_timeout)
        with _peak_memory() as peak:
            before, began, used = peak[0], time.perf_counter(), time.process_time()
            recovered = recover(sessions, Dispatcher(publisher), MarkerQueue(app), QueueDepths(app), Timing())
            seconds, processor_seconds = time.perf_counter() - began, time.process_time() - used
        if recovered != Recovered(broker_emptied=rows):
            raise RuntimeError(f"not all of {rows} steps were dispatched, and nothing else: {recovered}")
        return Measured(rows, seconds, processor_seconds, (peak[0] - before) / MIB)
    finally:
        sessions.kw["bind"].dispose()
        stack.rabbitmq.delete_vhost(name)
        drop_database(stack.addresses.database_url, name)


def _insert(database_url: str, rows: int) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        migrate(connection)
        connection.execute(text(WAITING_STEPS), {"rows": rows})
        # As after hours of normal work: a plan made for empty tables is not what is measured.
        connection.execute(text("ANALYZE"))
        connection.commit()
    engine.dispose()


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """The largest resident size of this process until now, kept up to date, in a list of one."""
    process, done = psutil.Process(), threading.Event()
    peak = [process.memory_info().rss]

    def watch() -> None:
        while not done.wait(0.05):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _table(results: list[Measured]) -> Table:
    table = Table(title="An emptied broker is filled")
    for heading in ("steps", "seconds", "steps/s", "processor s", "peak growth MiB"):
        table.add_column(heading, justify="right")
    for rows, seconds, used, grown in results:
        rate = f"{rows / seconds:,.0f}"
        table.add_row(f"{rows:,}", f"{seconds:.1f}", rate, f"{used:.1f}", f"{grown:.1f}")
    return table


if __name__ == "__main__":
    main()
