"""Alerts accepted a second over HTTP: one by one with many clients, and in batches; and the floor of it.

What is accepted waits for an hour, so that nothing but accepting is measured. No worker runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from deploy.local import ports
from deploy.local.service import Service
from tests.benchmarks.benchmark import Benchmark, Turn
from tests.benchmarks.clients import Posted, Target, post_for
from tests.benchmarks.contenders.contender import CHECKOUT, cpu_seconds
from tests.benchmarks.contenders.ours import NO_LIMIT, Ours, start
from tests.benchmarks.counts import count
from tests.benchmarks.door import ALERT, BATCH, Door, open_door
from tests.benchmarks.figures import FLOOR, OURS, Sample, quantiles
from tests.benchmarks.floor.accept import QUEUE, TABLE
from tests.benchmarks.floor.wires import declare
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.stage import Room, Stage

CLIENTS = 16
BATCHING_CLIENTS = 4
FAR_SECONDS = 3600
ONE_BY_ONE, BATCHED = "one by one", f"batches of {BATCH}"
NO_SUCH_ROUTE = (404, 405)

ONE = json.dumps(ALERT).encode()
MANY = json.dumps({"alerts": [ALERT] * BATCH}).encode()


@contextmanager
def turns(stage: Stage, sizes: Sizes) -> Iterator[Sequence[Turn]]:
    with stage.room("accept") as bare, stage.room("ingest") as room:
        floor = _floor_server(bare)
        ours = Ours(room, extra=NO_LIMIT)
        ours.prepare()
        try:
            start([ours.fleet.api])
            door = open_door(ours, "monitoring", delay_seconds=FAR_SECONDS)
            floor.start()
            floor.wait_ready()
            yield [
                Turn("floor", partial(_floor, floor, sizes.seconds)),
                Turn("one by one", partial(_one_by_one, ours, door, sizes.seconds)),
                Turn("batches", partial(_batches, ours, door, sizes.seconds)),
            ]
        finally:
            floor.kill()
            ours.fleet.api.kill()


BENCHMARK = Benchmark("ingest", "Alerts that come in over HTTP", turns)


def _floor_server(room: Room) -> Service:
    room.execute(TABLE)
    declare(room.addresses.broker_url, QUEUE)
    port = ports.choose()
    environment = {
        "PYTHONPATH": str(CHECKOUT),
        "PEER_DATABASE_URL": room.dsn,
        "PEER_BROKER_URL": room.addresses.broker_url,
        "FLOOR_PORT": str(port),
    }
    return Service(
        "floor",
        ("tests.benchmarks.floor.accept", str(port)),
        folder=room.folder / "server",
        log=room.folder / "server.log",
        environment=environment,
        ready=lambda: ports.is_accepting(port),
    )


def _floor(server: Service, seconds: float) -> Iterator[Sample]:
    url = f"http://127.0.0.1:{server.environment['FLOOR_PORT']}/alerts"
    used = cpu_seconds(server.pids)
    posted = post_for(Target(url), lambda: ONE, clients=CLIENTS, seconds=seconds)
    yield from _samples(FLOOR, ONE_BY_ONE, posted, 1, cpu_seconds(server.pids) - used)


def _one_by_one(ours: Ours, door: Door, seconds: float) -> Iterator[Sample]:
    target = Target(door.one, door.key)
    post_for(target, lambda: ONE, clients=CLIENTS, count=CLIENTS)  # connections and caches
    yield from _counted(ours, target, ONE, seconds, size=1, clients=CLIENTS, case=ONE_BY_ONE)


def _batches(ours: Ours, door: Door, seconds: float) -> Iterator[Sample]:
    target = Target(door.many, door.key)
    tried = post_for(target, lambda: MANY, clients=BATCHING_CLIENTS, count=1, seconds=1)
    if not any(status in NO_SUCH_ROUTE for status in tried.statuses):
        yield from _counted(ours, target, MANY, seconds, size=BATCH, clients=BATCHING_CLIENTS, case=BATCHED)


def _counted(
    ours: Ours, target: Target, body: bytes, seconds: float, *, size: int, clients: int, case: str
) -> Iterator[Sample]:
    before, used = count(ours.room), cpu_seconds(ours.fleet.api.pids)
    posted = post_for(target, lambda: body, clients=clients, seconds=seconds)
    spent, took = count(ours.room).since(before), cpu_seconds(ours.fleet.api.pids) - used
    yield from _samples(OURS, case, posted, size, took)
    alerts = posted.accepted * size
    per_alert = {
        "flushed commits an alert": spent.flushed,
        "unflushed commits an alert": spent.unflushed,
        "statements an alert": spent.statements,
        "messages an alert": spent.confirmed,
    }
    for what, number in per_alert.items():
        yield Sample(OURS, what, number / alerts, "", case)


def _samples(who: str, case: str, posted: Posted, size: int, cpu: float) -> Iterator[Sample]:
    refused = {status: n for status, n in posted.statuses.items() if status // 100 != 2 and status != 429}
    if refused or not posted.accepted:
        raise RuntimeError(f"{who} refused alerts: {dict(posted.statuses)}")
    median, p99, longest = quantiles(second * 1000 for second in posted.seconds)
    yield Sample(who, "alerts accepted", posted.accepted * size / posted.took, "/s", case)
    yield Sample(who, "alerts refused for now (429)", posted.refused * size, "alerts", case)
    yield Sample(who, "answered within, p50", median, "ms", case)
    yield Sample(who, "answered within, p99", p99, "ms", case)
    yield Sample(who, "answered within, latest", longest, "ms", case)
    yield Sample(who, "CPU an alert", cpu * 1000 / (posted.accepted * size), "ms", case)
