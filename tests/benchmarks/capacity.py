"""What a load needs, worked out from what was measured: processors, memory, and disk.

It is arithmetic on costs of one step, one alert and one row, each as the run measured it; that costs grow in
proportion is what `pending`, `recovery` and `age` are there to show.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.figures import OURS, Figures
from tests.benchmarks.table import Pivot, number

ALERTS_WAITING = "100,000 pending"
FINISHED = "1,000,000 finished"
# Nobody runs processors at their limit: what is due must find one that is free.
BUSY_SHARE = 0.6
DAY = 24 * 3600


@dataclass(frozen=True)
class Costs:
    """Of one step, one alert, one waiting step and one finished execution."""

    worker_ms: float
    api_ms: float
    postgres_ms: float
    broker_ms: float
    log_kib: float
    broker_kib: float
    waiting_kib: float
    finished_kib: float


@dataclass(frozen=True)
class Load:
    """Alerts and steps a second, of alerts with one step each, and how many steps wait."""

    per_second: int
    waiting: int

    @property
    def name(self) -> str:
        return f"{self.per_second:,}/s, {self.waiting:,} waiting"


LOADS = (Load(10, 10_000), Load(100, 100_000), Load(1_000, 1_000_000))


def needs_of(figures: Figures) -> Pivot | None:
    """A line for each thing that is needed, a column for each load; None when costs are missing."""
    costs = costs_of(figures)
    if costs is None:
        return None
    columns = [needs(costs, load) for load in LOADS]
    rows = [[what, unit, *(number(column[what, unit]) for column in columns)] for what, unit in columns[0]]
    return Pivot(["needed", "", *(load.name for load in LOADS)], rows)


def needs(costs: Costs, load: Load) -> dict[tuple[str, str], float]:
    """By what it is, and its unit."""

    def processors(milliseconds: float) -> float:
        return load.per_second * milliseconds / 1000 / BUSY_SHARE

    return {
        ("processors for workers", "cores"): processors(costs.worker_ms),
        ("processors for the API", "cores"): processors(costs.api_ms),
        ("processors for Postgres", "cores"): processors(costs.postgres_ms),
        ("processors for RabbitMQ", "cores"): processors(costs.broker_ms),
        ("memory of RabbitMQ for what waits", "MiB"): load.waiting * costs.broker_kib / 1024,
        ("database for what waits", "MiB"): load.waiting * costs.waiting_kib / 1024,
        ("log that Postgres writes", "MiB/s"): load.per_second * costs.log_kib / 1024,
        ("database that grows, until it is pruned", "GiB a day"): load.per_second
        * DAY
        * costs.finished_kib
        / 2**20,
    }


def costs_of(figures: Figures) -> Costs | None:
    step = [
        figures.get("escalation", OURS, what)
        for what in ("CPU a step", "CPU of Postgres a step", "CPU of RabbitMQ a step", "log written a step")
    ]
    alert = figures.get("ingest", OURS, "CPU an alert", "one by one")
    waiting = [
        figures.get("pending", OURS, what, ALERTS_WAITING)
        for what in ("memory of the broker for them", "size of the database for them")
    ]
    size = figures.get("age", OURS, "size of the database", FINISHED)
    known = [value for value in (*step, alert, *waiting, size) if value is not None]
    if len(known) < len(step) + len(waiting) + 2:
        return None
    worker, postgres, broker, log, api, memory, rows, finished = known
    return Costs(
        worker_ms=worker,
        api_ms=api,
        postgres_ms=postgres,
        broker_ms=broker,
        log_kib=log,
        broker_kib=memory * 1024 / 100_000,
        waiting_kib=rows * 1024 / 100_000,
        finished_kib=finished * 1024 / 1_000_000,
    )
