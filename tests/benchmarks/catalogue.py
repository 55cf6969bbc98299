"""All benchmarks, in the order in which they are run; and those that are run only when they are asked for."""

from __future__ import annotations

from tests.benchmarks import age, endurance, escalation, fairness, ingest, pending, profiled, recovery
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
    profiled.BENCHMARK,
)

ON_DEMAND: tuple[Benchmark, ...] = (endurance.BENCHMARK,)
