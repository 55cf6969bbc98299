"""What a worker's memory is while it runs 100,000 steps: it must not grow with what has been done.

It takes as long as the steps take, a quarter of an hour, so that it is not a part of the run of all:
`python -m tests.benchmarks --only endurance --add`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from tests.benchmarks.benchmark import Benchmark, Turn
from tests.benchmarks.contenders.contender import memory_mib
from tests.benchmarks.contenders.ours import Ours
from tests.benchmarks.figures import Sample
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.stage import Stage
from tests.benchmarks.storm import all_at_once

LOOKS = 10


@contextmanager
def turns(stage: Stage, sizes: Sizes) -> Iterator[Sequence[Turn]]:
    with stage.room("endurance") as room:
        ours = Ours(room)
        ours.prepare()
        ours.start()
        try:
            yield [Turn(f"{sizes.endurance:,} steps", partial(_run, ours, sizes.endurance), rounds=1)]
        finally:
            ours.stop()


BENCHMARK = Benchmark("endurance", "A worker's memory, after so many steps", turns)


def _run(ours: Ours, steps: int) -> Iterator[Sample]:
    for look in range(1, LOOKS + 1):
        worked = all_at_once(ours, ours.room.stage.sink, steps // LOOKS)
        case = f"after {look * steps // LOOKS:,} steps"
        for kind in ("fire", "send"):
            pids = [worker.pid for worker in ours.fleet.workers if worker.name.startswith(kind)]
            memory = memory_mib(pids) / len(pids)
            yield Sample(ours.name, f"memory of a {kind} worker", memory, "MiB", case)
        yield Sample(ours.name, "mails sent", worked.per_second, "/s", case)
        yield Sample(ours.name, "mails that did not come", worked.missing, "mails", case)
