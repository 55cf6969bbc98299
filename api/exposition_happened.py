"""The metrics of what has happened: lateness as histograms, and how attempts and executions ended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from alertops.services.happened import Happened, Lateness


def happened(figures: Happened) -> Iterator[Metric]:
    yield _histogram(
        "alertops_step_lateness_seconds", "From due to fired, of steps.", [], [([], figures.fired)]
    )
    yield _histogram(
        "alertops_delivery_lateness_seconds",
        "From due to accepted by the provider, of attempts that were delivered.",
        ["channel"],
        [([channel], lateness) for channel, lateness in figures.delivered.items()],
    )
    ended = [([channel, status], count) for (channel, status), count in figures.ended.items()]
    yield _counter("alertops_attempts_ended", "Attempts by how they ended.", ["channel", "outcome"], ended)
    yield _counter(
        "alertops_attempts_repeated",
        "Attempts sent again, though an earlier sender, who is gone, may have delivered them.",
        [],
        [([], figures.repeated)],
    )
    changes = [([event], count) for event, count in figures.changes.items()]
    yield _counter(
        "alertops_execution_changes", "Changes of executions from state to state.", ["event"], changes
    )
    failures = [([reason], count) for reason, count in figures.undispatched.items()]
    yield _counter(
        "alertops_dispatch_failures", "Wake-ups that the broker did not take.", ["reason"], failures
    )
    if figures.as_of is not None:
        yield GaugeMetricFamily(
            "alertops_counted_until_timestamp_seconds",
            "What was committed before is in the histograms and counters of what happened.",
            figures.as_of.timestamp(),
        )


Labelled = Iterable[tuple[Sequence[str], int]]


def _counter(name: str, says: str, labels: Sequence[str], values: Labelled) -> Metric:
    family = CounterMetricFamily(name, says, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def _histogram(
    name: str, says: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], Lateness]]
) -> Metric:
    family = HistogramMetricFamily(name, says, labels=labels)
    for label_values, lateness in values:
        buckets = [(_bound(bound), float(count)) for bound, count in lateness.at_most.items()]
        family.add_metric(label_values, buckets, lateness.seconds)
    return family


def _bound(seconds: float) -> str:
    """As Prometheus writes it from version 3 on, whatever was scraped: with its decimal point."""
    return "+Inf" if math.isinf(seconds) else repr(seconds)
