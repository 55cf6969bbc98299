"""How late steps fire and mails go out, and what the memory is, while so many other steps wait for later.

Ours at several rates; the peers at one. And a storm: as many steps as that in the same second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.benchmarks.benchmark import Benchmark, Turn
from tests.benchmarks.contenders.contender import Contender, memory_mib
from tests.benchmarks.contenders.ours import Ours
from tests.benchmarks.contenders.peers import PEERS
from tests.benchmarks.figures import Sample, quantiles
from tests.benchmarks.pace import at_pace
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.stage import Room, Stage
from tests.benchmarks.storm import Worked, all_at_once

# What waits is due so far ahead that it does not disturb.
FAR_SECONDS = 2 * 3600
AHEAD_SECONDS = 4.0
# A turn takes a minute; that ours take two shows how far they spread.
ROUNDS = 2
WARM_UP = 5
MIB = 2**20


@contextmanager
def turns(stage: Stage, sizes: Sizes) -> Iterator[Sequence[Turn]]:
    with ExitStack() as rooms:

        def filled(kind: Callable[[Room], Contender], pending: int) -> tuple[Contender, list[Sample]]:
            room = rooms.enter_context(stage.room(f"{kind.__name__.lower()}_{pending}"))
            contender = kind(room)
            contender.prepare()
            # A broker that our workers do not know is one that was emptied: they would fill it again.
            contender.start()
            contender.stop()
            return contender, list(_fill(contender, room, pending))

        taken: list[Turn] = []
        for pending in sizes.pending:
            ours, costs = filled(Ours, pending)
            name = f"AlertOps, {pending:,} pending"
            taken.append(Turn(name, partial(_ours, ours, sizes, pending, costs), rounds=ROUNDS))
        for pending in sizes.peers_pending:
            for kind in PEERS:
                peer, costs = filled(kind, pending)
                name = f"{peer.name}, {pending:,} pending"
                taken.append(Turn(name, partial(_peer, peer, sizes, pending, costs), rounds=1))
        storming = rooms.enter_context(stage.room("storm"))
        taken.append(Turn("a storm", partial(_storm, storming, sizes), rounds=sizes.storm_rounds))
        yield taken


BENCHMARK = Benchmark("pending", "Lateness and memory, while other steps are pending", turns)


def case_of(pending: int, rate: int | None = None) -> str:
    return f"{pending:,} pending" if rate is None else f"{rate}/s, {pending:,} pending"


def _fill(contender: Contender, room: Room, pending: int) -> Iterator[Sample]:
    """Have so many jobs wait, and tell what that costs the servers."""
    if not pending:
        return
    before = _held(room)
    began = time.monotonic()
    far = time.time() + FAR_SECONDS
    contender.schedule([far] * pending)
    took = time.monotonic() - began
    time.sleep(5)  # the broker writes its last segments
    broker, database = (now - then for now, then in zip(_held(room), before, strict=True))
    case = case_of(pending)
    yield Sample(contender.name, "jobs scheduled", pending / took, "/s", case)
    yield Sample(contender.name, "memory of the broker for them", broker / MIB, "MiB", case)
    yield Sample(contender.name, "size of the database for them", database / MIB, "MiB", case)


def _held(room: Room) -> tuple[float, float]:
    """Bytes of the broker's memory, after it has put away what it does not need, and of the database."""
    collect = "[erlang:garbage_collect(P) || P <- erlang:processes()]"
    broker = room.stage.stack.rabbitmq.ctl("eval", f'{collect}, io:format("~p~n", [erlang:memory(total)]).')
    return float(broker.split()[0]), room.ask("SELECT pg_database_size(current_database())")


def _ours(ours: Ours, sizes: Sizes, pending: int, costs: Sequence[Sample]) -> Iterator[Sample]:
    yield from costs
    ours.start()
    try:
        all_at_once(ours, ours.room.stage.sink, WARM_UP)
        yield _memory(ours, pending)
        for rate in sizes.rates:
            worked = at_pace(ours, ours.room.stage.sink, rate, sizes.rate_seconds, AHEAD_SECONDS)
            case = case_of(pending, rate)
            yield from late(ours.name, "due to fired", _fired_late_ms(ours, worked), case)
            yield from late(ours.name, "due to sent", worked.late_ms, case)
    finally:
        ours.stop()


def _peer(peer: Contender, sizes: Sizes, pending: int, costs: Sequence[Sample]) -> Iterator[Sample]:
    yield from costs
    peer.start()
    try:
        all_at_once(peer, peer.room.stage.sink, WARM_UP)
        yield _memory(peer, pending)
        worked = at_pace(peer, peer.room.stage.sink, sizes.peers_rate, sizes.rate_seconds, AHEAD_SECONDS)
        case = case_of(pending, sizes.peers_rate)
        yield from late(peer.name, "due to sent", worked.late_ms, case)
        yield Sample(peer.name, "mails that did not come", worked.missing, "mails", case)
    finally:
        peer.stop()


def _storm(room: Room, sizes: Sizes) -> Iterator[Sample]:
    ours = Ours(room)
    ours.prepare()
    ours.start()
    try:
        all_at_once(ours, room.stage.sink, WARM_UP)
        idle = memory_mib(ours.pids)
        worked = all_at_once(ours, room.stage.sink, sizes.storm)
        case = f"{sizes.storm:,} in one second"
        yield from late(ours.name, "due to fired", _fired_late_ms(ours, worked), case)
        yield from late(ours.name, "due to sent", worked.late_ms, case)
        yield Sample(ours.name, "mails sent", worked.per_second, "/s", case)
        time.sleep(2)
        grown = (memory_mib(ours.pids) - idle) / len(ours.pids)
        yield Sample(ours.name, "memory that a worker has more after it", grown, "MiB", case)
    finally:
        ours.stop()


def _memory(contender: Contender, pending: int) -> Sample:
    pids = contender.pids
    return Sample(contender.name, "memory of a worker", memory_mib(pids) / len(pids), "MiB", case_of(pending))


def _fired_late_ms(ours: Ours, worked: Worked) -> list[float]:
    fired, now = ours.fired_at(list(worked.due)), time.time()
    return [(fired.get(job, now) - at) * 1000 for job, at in worked.due.items()]


def late(who: str, what: str, milliseconds: Sequence[float], case: str) -> Iterator[Sample]:
    """How late, in the three figures that tell it."""
    names = (f"{what}, p50", f"{what}, p99", f"{what}, latest")
    for name, value in zip(names, quantiles(milliseconds), strict=True):
        yield Sample(who, name, value, "ms", case)
