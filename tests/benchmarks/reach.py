"""The targets: what the figures of one run must come to."""

from __future__ import annotations

from tests.benchmarks.figures import FLOOR, OURS, Figures
from tests.benchmarks.targets import Measure, Target, at_least, at_most, over, under

BUSY, CALM = "50/s, 100,000 pending", "50/s, 0 pending"
STORM = "10,000 alerts of another team"


def figure(benchmark: str, what: str, case: str = "", who: str = OURS) -> Measure:
    return lambda figures: figures.get(benchmark, who, what, case)


def of_another(benchmark: str, what: str, other: str, case: str = "") -> Measure:
    """Ours, as a share of another's."""
    return _quotient(figure(benchmark, what, case), figure(benchmark, what, case, other))


def of_case(benchmark: str, what: str, case: str, of: str) -> Measure:
    """Ours in a case, as a share of ours in another."""
    return _quotient(figure(benchmark, what, case), figure(benchmark, what, of))


def behind(peer: str) -> Measure:
    """How many times as late as ours a peer's mails are."""
    what = "due to sent, p99"
    return _quotient(figure("pending", what, BUSY, peer), figure("pending", what, BUSY))


def more_memory(figures: Figures) -> float | None:
    """Of a worker, for what is pending."""
    cases = ("100,000 pending", "0 pending")
    full, idle = (figures.get("pending", OURS, "memory of a worker", case) for case in cases)
    return None if full is None or idle is None else max(0.0, full - idle)


def whole_cpu(figures: Figures) -> float | None:
    """Of an alert whose one step fires: the API's, and the workers'."""
    api = figures.get("ingest", OURS, "CPU an alert", "one by one")
    workers = figures.get("escalation", OURS, "CPU a step")
    return None if api is None or workers is None else api + workers


def _quotient(above: Measure, below: Measure) -> Measure:
    def measure(figures: Figures) -> float | None:
        one, other = above(figures), below(figures)
        return None if one is None or not other else one / other

    return measure


TARGETS: tuple[Target, ...] = (
    at_least(
        "alerts accepted one by one, of the floor",
        0.35,
        of_another("ingest", "alerts accepted", FLOOR, "one by one"),
    ),
    at_least("alerts accepted in batches", 3000, figure("ingest", "alerts accepted", "batches of 100"), "/s"),
    at_least("mails sent, of the floor", 0.4, of_another("escalation", "mails sent", FLOOR)),
    over("mails sent, of Procrastinate's", 1, of_another("escalation", "mails sent", "Procrastinate")),
    over("mails sent, of Celery ETA's", 1, of_another("escalation", "mails sent", "Celery ETA")),
    # Canaries, and the recovery's tick, are in these counts too.
    at_most("flushed commits a step", 3.1, figure("escalation", "flushed commits a step")),
    at_most("wake-ups a step", 2.1, figure("escalation", "wake-ups a step")),
    under("CPU of our processes, HTTP to recorded outcome", 8, whole_cpu, "ms"),
    under(
        "due to fired at 50/s, 100,000 pending, p50", 5, figure("pending", "due to fired, p50", BUSY), "ms"
    ),
    under(
        "due to fired at 50/s, 100,000 pending, p99", 50, figure("pending", "due to fired, p99", BUSY), "ms"
    ),
    # "No growth", as far as a few rounds on one machine can tell.
    at_most(
        "that p99, of the one with nothing pending", 1.25, of_case("pending", "due to fired, p99", BUSY, CALM)
    ),
    over("p99 due to sent, Celery ETA's of ours", 1, behind("Celery ETA")),
    over("p99 due to sent, Procrastinate's of ours", 1, behind("Procrastinate")),
    over("p99 due to sent, 5 s polling's of ours", 1, behind("5 s polling")),
    at_most("memory of a worker with 100,000 pending, more than idle", 5, more_memory, "MiB"),
    under(
        "100,000 steps dispatched again",
        40,
        figure("recovery", "until all were dispatched", "100,000 waiting"),
        "s",
    ),
    at_most(
        "CPU a step with 1,000,000 finished, of that with 1,000",
        1.25,
        of_case("age", "CPU a step", "1,000,000 finished", "1,000 finished"),
    ),
    under(
        "quiet team's p99 due to sent in a storm",
        500,
        figure("fairness", "due to sent, p99", STORM, "quiet team"),
        "ms",
    ),
)
