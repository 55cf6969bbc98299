"""The floor, part by part: how many a second of each thing that an escalation is made of."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import psycopg2
from amqp import Channel

from deploy.local.binaries import postgres_folder
from tests.benchmarks.benchmark import Benchmark, Turn
from tests.benchmarks.contenders.contender import cpu_seconds
from tests.benchmarks.figures import FLOOR, Sample
from tests.benchmarks.floor.wires import BODY, confirming_channel, connect, converse, declare, persistent
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.stage import Room, Stage

CLIENTS = 16
QUEUE = "floor"
# Confirms that may be outstanding when publishing does not wait for each.
PIPELINE = 500


@contextmanager
def turns(stage: Stage, sizes: Sizes) -> Iterator[Sequence[Turn]]:
    with stage.room("floor") as room:
        room.execute("CREATE TABLE rows (id bigserial PRIMARY KEY, body text NOT NULL)")
        declare(room.addresses.broker_url, QUEUE)
        seconds = sizes.seconds / 2
        yield [
            Turn("commits", partial(commits, room, seconds)),
            Turn("pgbench", partial(pgbench, room, seconds)),
            Turn("publishes", partial(publishes, room, seconds)),
            Turn("deliveries", partial(deliveries, room, seconds)),
            Turn("mails", partial(mails, room, seconds)),
        ]


BENCHMARK = Benchmark("floor", "What this machine can do at all, part by part", turns)


def commits(room: Room, seconds: float) -> Iterator[Sample]:
    for clients in (1, CLIENTS):
        yield _sample(f"durable commits, {clients} clients", _rate(room, _commit_for, clients, seconds))


def pgbench(room: Room, seconds: float) -> Iterator[Sample]:
    """The same by Postgres' own program in C: how much of it is Python's."""
    script = room.stage.stack.root / "insert.sql"
    script.write_text(f"INSERT INTO rows (body) VALUES ('{BODY.decode()}');\n")
    options = ["--no-vacuum", "--client", str(CLIENTS), "--time", str(max(1, round(seconds)))]
    done = subprocess.run(  # noqa: S603  what it runs was found by us
        [postgres_folder() / "pgbench", *options, "--file", script, room.dsn],
        capture_output=True,
        text=True,
        check=True,
    )
    rate = next(line.split()[2] for line in done.stdout.splitlines() if line.startswith("tps"))
    yield _sample(f"durable commits, {CLIENTS} clients, pgbench", float(rate))


def publishes(room: Room, seconds: float) -> Iterator[Sample]:
    yield _sample("confirmed publishes, one by one", _rate(room, _publish_for, 1, seconds))
    yield _sample(
        f"confirmed publishes, one by one, {CLIENTS} clients", _rate(room, _publish_for, CLIENTS, seconds)
    )
    yield _sample("confirmed publishes, pipelined", _rate(room, _pipeline_for, 1, seconds))


def deliveries(room: Room, seconds: float) -> Iterator[Sample]:
    """What the publishes left in the queue is handed out, and acknowledged one by one."""
    channel = connect(room.addresses.broker_url).channel()
    channel.basic_qos(0, 100, False)
    taken = [0]

    def take(message: object) -> None:
        taken[0] += 1
        channel.basic_ack(message.delivery_tag)  # type: ignore[attr-defined]

    channel.basic_consume(QUEUE, callback=take)
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        try:
            channel.connection.drain_events(timeout=0.2)
        except TimeoutError:
            break
    took = time.perf_counter() - began
    channel.connection.close()
    yield _sample("deliveries", taken[0] / took)


def mails(room: Room, seconds: float) -> Iterator[Sample]:
    sink = room.stage.sink
    sink.take()
    used = cpu_seconds([sink.pid])
    for clients in (1, CLIENTS):
        yield _sample(f"SMTP conversations, {clients} clients", _rate(room, _mail_for, clients, seconds))
    spent = cpu_seconds([sink.pid]) - used
    yield Sample(FLOOR, "CPU of the mail server for a mail", spent * 1000 / max(1, len(sink.take())), "ms")


def _sample(what: str, rate: float) -> Sample:
    return Sample(FLOOR, what, rate, "/s")


Doing = Callable[[Room], Callable[[], int]]


def _rate(room: Room, prepare: Doing, clients: int, seconds: float) -> float:
    """How many a second so many threads get done: `prepare` connects, and what it returns does some."""
    done: list[int] = []
    began = threading.Barrier(clients + 1)

    def client(do: Callable[[], int]) -> None:
        began.wait()
        until, count = time.perf_counter() + seconds, 0
        while time.perf_counter() < until:
            count += do()
        done.append(count)

    threads = [threading.Thread(target=client, args=(prepare(room),)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    began.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - start)


def _commit_for(room: Room) -> Callable[[], int]:
    session = psycopg2.connect(room.dsn)
    session.autocommit = True
    cursor = session.cursor()

    def commit() -> int:
        cursor.execute("INSERT INTO rows (body) VALUES (%s)", (BODY.decode(),))
        return 1

    return commit


def _publish_for(room: Room) -> Callable[[], int]:
    channel = confirming_channel(room.addresses.broker_url)

    def publish() -> int:
        channel.basic_publish_confirm(persistent(BODY), routing_key=QUEUE)
        return 1

    return publish


def _pipeline_for(room: Room) -> Callable[[], int]:
    channel: Channel = connect(room.addresses.broker_url).channel()
    channel.confirm_select()
    open_: set[int] = set()
    tag = [0]

    def settle(upto: int, multiple: bool = False) -> None:
        open_.difference_update([t for t in open_ if t <= upto] if multiple else [upto])

    channel.events["basic_ack"].add(settle)

    def publish() -> int:
        for _ in range(PIPELINE):
            tag[0] += 1
            open_.add(tag[0])
            channel.basic_publish(persistent(BODY), routing_key=QUEUE)
        while open_:
            channel.connection.drain_events()
        return PIPELINE

    return publish


def _mail_for(room: Room) -> Callable[[], int]:
    port = room.stage.sink.port

    def mail() -> int:
        converse(port, "floor")
        return 1

    return mail
