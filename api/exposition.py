"""The metrics: their names, what each says, and how figures become samples. See `docs/metrics.md`.

No figure tells one team from another: whoever may scrape learns how AlertOps is doing, and nothing of its
tenants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from alertops.services.measure import Figures, OpenWork, Queues, RecoveryFigures
from api.exposition_happened import happened


@dataclass(frozen=True)
class Exposition:
    """What `prometheus_client` writes out: the figures that there are. None is a server without an answer."""

    figures: Figures | None
    queues: Queues | None
    version: str

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("alertops_build", "The release of this process.", {"version": self.version})
        yield _gauge(
            "alertops_database_up", "Whether the database gave its figures.", self.figures is not None
        )
        if self.figures is not None:
            yield from _recovery(self.figures.recovery)
            yield from _work(self.figures.work)
            yield from happened(self.figures.happened)
        yield _gauge("alertops_broker_up", "Whether the broker told its queues.", self.queues is not None)
        if self.queues is not None:
            yield from _queues(self.queues)


def _recovery(recovery: RecoveryFigures) -> Iterator[Metric]:
    recovered = CounterMetricFamily(
        "alertops_recovered",
        "Steps, attempts, letters and events that were dispatched again.",
        labels=["reason"],
    )
    for reason, rows in recovery.recovered.items():
        recovered.add_metric([reason], rows)
    yield recovered
    yield CounterMetricFamily(
        "alertops_recovery_runs", "Runs of recovery that came to their end.", recovery.runs
    )
    yield CounterMetricFamily(
        "alertops_broker_epochs", "Brokers found empty, the first one included.", recovery.epochs_begun
    )
    if recovery.last_run_at is not None:
        yield _gauge(
            "alertops_recovery_last_run_timestamp_seconds",
            "When the last run ended that the broker took everything of.",
            recovery.last_run_at.timestamp(),
        )
    if recovery.last_run_seconds is not None:
        yield _gauge(
            "alertops_recovery_last_run_seconds", "How long that run took.", recovery.last_run_seconds
        )


def _work(work: OpenWork) -> Iterator[Metric]:
    yield _labelled("alertops_executions", "Executions that are open.", "status", work.executions.items())
    yield _labelled("alertops_attempts", "Attempts that are not finished.", "status", work.attempts.items())
    yield _labelled("alertops_letters", "Letters that are not finished.", "status", work.letters.items())
    yield _gauge("alertops_letters_failed", "Letters that failed within a day.", work.letters_failed)
    yield _labelled(
        "alertops_event_deliveries",
        "Events that subscribers are to be told.",
        "status",
        work.deliveries.items(),
    )
    yield _gauge(
        "alertops_event_deliveries_failed", "Events that were given up within a day.", work.deliveries_failed
    )
    yield _gauge("alertops_steps_waiting", "Steps that have not fired yet.", work.steps_waiting)
    yield _gauge("alertops_steps_overdue", "Steps that should have fired.", work.steps_overdue)
    yield _gauge(
        "alertops_attempts_overdue", "Attempts that should have been claimed.", work.attempts_overdue
    )
    yield _gauge(
        "alertops_oldest_overdue_seconds",
        "How long ago the oldest of the overdue came due; 0 when there is none.",
        work.oldest_overdue_seconds,
    )


def _queues(queues: Queues) -> Iterator[Metric]:
    ready = [(name, depth.ready) for name, depth in queues.depths.items()]
    consumers = [(name, depth.consumers) for name, depth in queues.depths.items()]
    yield _labelled("alertops_queue_ready", "Messages that no worker has taken yet.", "queue", ready)
    yield _labelled("alertops_queue_consumers", "Workers that take from the queue.", "queue", consumers)
    if queues.dead_letters is not None:
        yield _gauge("alertops_dead_letters", "Messages that nobody could work on.", queues.dead_letters)


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(name, says, value)


def _labelled(name: str, says: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=[label])
    for label_value, value in values:
        family.add_metric([label_value], value)
    return family
