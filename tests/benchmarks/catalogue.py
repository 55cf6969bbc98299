"""All benchmarks, in the order in which they are run."""

from __future__ import annotations

from tests.benchmarks import age, escalation, fairness, ingest, pending, recovery
from tests.benchmarks.benchmark import Benchmark
from tests.benchmarks.floor import parts

BENCHMARKS: tuple[Benchmark, ...] = (
    parts.BENCHMARK,
    ingest.BENCHMARK,
    escalation.BENCHMARK,
    pending.BENCHMARK,
    recovery.BENCHMARK,
    age.BENCHMARK,
    fairness.BENCHMARK,
)
