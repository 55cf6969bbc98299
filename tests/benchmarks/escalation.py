"""Steps fired and mails sent a second, and what a step costs: ours, the floor, and the peers, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.benchmarks.benchmark import Benchmark, Turn
from tests.benchmarks.contenders.contender import Contender, memory_mib
from tests.benchmarks.contenders.floor import Floor
from tests.benchmarks.contenders.ours import PAGE, Ours
from tests.benchmarks.contenders.peers import PEERS
from tests.benchmarks.counts import Counts, count
from tests.benchmarks.figures import Sample
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.stage import Room, Stage
from tests.benchmarks.storm import Worked, all_at_once

WARM_UP = 5


@contextmanager
def turns(stage: Stage, sizes: Sizes) -> Iterator[Sequence[Turn]]:
    with ExitStack() as rooms:

        def turn(name: str, kind: Callable[[Room], Contender]) -> Turn:
            contender = kind(rooms.enter_context(stage.room(name)))
            contender.prepare()
            return Turn(contender.name, lambda: measure(stage, contender, sizes.backlog))

        kinds: dict[str, Callable[[Room], Contender]] = {"floor": Floor, "ours": Ours}
        kinds |= {kind.__name__.lower(): kind for kind in PEERS}
        yield [turn(name, kind) for name, kind in kinds.items()]


BENCHMARK = Benchmark("escalation", "Steps that are due at once: a commit, a message, a mail", turns)


def measure(stage: Stage, contender: Contender, steps: int, *, case: str = "") -> Iterable[Sample]:
    """Samples of one round. The first mails go unmeasured: connections and caches come with them."""
    return (sample._replace(case=case) for sample in _measure(stage, contender, steps))


def _measure(stage: Stage, contender: Contender, steps: int) -> Iterator[Sample]:
    contender.start()
    try:
        all_at_once(contender, stage.sink, WARM_UP)
        if isinstance(contender, Ours):
            yield from _ours(stage, contender, steps)
        else:
            yield from _samples(contender, all_at_once(contender, stage.sink, steps))
    finally:
        contender.stop()


def _samples(contender: Contender, worked: Worked) -> Iterator[Sample]:
    name = contender.name
    yield Sample(name, "mails sent", worked.per_second, "/s")
    yield Sample(name, "CPU a step", worked.cpu_seconds * 1000 / len(worked.due), "ms")
    for server, seconds in worked.servers_seconds.items():
        yield Sample(name, f"CPU of {server} a step", seconds * 1000 / len(worked.due), "ms")
    yield Sample(name, "memory of the workers", memory_mib(contender.pids), "MiB")
    yield Sample(name, "mails that did not come", worked.missing, "mails")
    yield Sample(name, "mails that came twice", worked.mails - len(worked.arrived), "mails")


def _ours(stage: Stage, ours: Ours, steps: int) -> Iterator[Sample]:
    before = count(ours.room)
    worked = all_at_once(ours, stage.sink, steps)
    scheduling = _scheduling(steps)
    time.sleep(1)  # the last outcomes are being recorded
    spent = count(ours.room).since(before)
    yield from _samples(ours, worked)
    fired = ours.fired_at(list(worked.due))
    yield Sample(ours.name, "steps fired", len(fired) / (max(fired.values()) - worked.began), "/s")
    yield from _per_step(ours.name, spent, scheduling, steps)


def _scheduling(steps: int) -> Counts:
    """What the benchmark itself did to have the steps wait, which is not the steps' cost."""
    pages = -(-steps // PAGE)
    # A page: its rows, the clock, the mark (without flush); each in a transaction.
    return Counts(2 * pages, pages, 8 * pages, pages, 0, 0, 0, steps, steps)


def _per_step(name: str, spent: Counts, scheduling: Counts, steps: int) -> Iterator[Sample]:
    own = spent.since(scheduling)
    per_step = {
        "flushed commits a step": own.flushed,
        "unflushed commits a step": own.unflushed,
        "statements a step": own.statements,
        "rows read a step": own.rows_read,
        "messages a step, all": own.messages,
        # The wake-up that woke the step was confirmed when it was scheduled, and is one of its messages.
        "wake-ups a step": spent.confirmed,
        "syncs of the log a step": own.syncs,
    }
    for what, number in per_step.items():
        yield Sample(name, what, number / steps, "")
    yield Sample(name, "log written a step", spent.wal_bytes / steps / 1024, "KiB")
    yield Sample(name, "time in statements a step", own.database_ms / steps, "ms")
