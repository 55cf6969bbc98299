"""A team raises thousands of alerts at once; a quiet one raises a few a second. What does the quiet one see?

Its clients' waiting time, and how late its steps fire and its mails go out: alone, and during the storm.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import text

from tests.benchmarks.benchmark import Benchmark, Turn
from tests.benchmarks.clients import Line, Posted, Target, post_for
from tests.benchmarks.contenders.ours import NO_LIMIT, Ours, start
from tests.benchmarks.door import ALERT, BATCH, Door, open_door
from tests.benchmarks.figures import Sample
from tests.benchmarks.pending import late
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.stage import Stage

QUIET_PER_SECOND = 5
QUIET_DELAY_SECONDS = 1
NOISY_CLIENTS = 16
# However long the noisy team's alerts take, the quiet one is watched for so many times `sizes.seconds`.
PATIENCE = 12
ONE = json.dumps(ALERT).encode()
MANY = json.dumps({"alerts": [ALERT] * BATCH}).encode()
FIRED = text(
    """
    SELECT steps.execution_id, extract(epoch FROM due_at), extract(epoch FROM coalesce(fired_at, now()))
    FROM steps JOIN executions ON executions.id = steps.execution_id
    WHERE flow_id = CAST(:flow AS uuid) AND number = 1 AND steps.created_at >= to_timestamp(:since)
    """
)


@contextmanager
def turns(stage: Stage, sizes: Sizes) -> Iterator[Sequence[Turn]]:
    with stage.room("fairness") as room:
        # What a team may open a minute would end the storm: here the queues alone are to bear it.
        ours = Ours(room, extra=NO_LIMIT)
        ours.prepare()
        try:
            start([ours.fleet.api, *ours.fleet.workers])
            noisy = open_door(ours, "noisy", delay_seconds=0)
            quiet = open_door(ours, "quiet", delay_seconds=QUIET_DELAY_SECONDS)
            yield [
                Turn("the quiet team alone", partial(_alone, ours, quiet, sizes), rounds=1),
                Turn("the storm", partial(_storm, ours, quiet, noisy, sizes), rounds=1),
            ]
        finally:
            ours.fleet.api.kill()
            ours.stop()


BENCHMARK = Benchmark("fairness", "A quiet team, while another one raises thousands of alerts", turns)


@dataclass
class Quiet:
    """A client that posts at its own pace until it is told to stop."""

    door: Door
    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def post(self) -> None:
        line, request = Line(self.door.one), Target(self.door.one, self.door.key).request(ONE)
        began = time.monotonic()
        while not self.over.wait(max(0.0, began + self._posted / QUIET_PER_SECOND - time.monotonic())):
            asked = time.perf_counter()
            status, _ = line.post(request)
            self.seconds.append(time.perf_counter() - asked)
            self.refused += status // 100 != 2
        line.close()

    @property
    def _posted(self) -> int:
        return len(self.seconds)


@contextmanager
def quietly(door: Door) -> Iterator[Quiet]:
    """Its alerts keep coming as long as it is entered."""
    quiet = Quiet(door)
    posting = threading.Thread(target=quiet.post)
    posting.start()
    try:
        yield quiet
    finally:
        quiet.over.set()
        posting.join()


def _alone(ours: Ours, door: Door, sizes: Sizes) -> Iterator[Sample]:
    since = time.time()
    ours.room.stage.sink.take()
    with quietly(door) as quiet:
        time.sleep(2 * sizes.seconds)
    yield from _seen(ours, quiet, since, "alone")


def _storm(ours: Ours, quiet_door: Door, noisy: Door, sizes: Sizes) -> Iterator[Sample]:
    since = time.time()
    ours.room.stage.sink.take()
    with quietly(quiet_door) as quiet:
        until = time.monotonic() + PATIENCE * sizes.seconds
        posted, alerts = _raise_many(noisy, sizes.noisy_alerts, PATIENCE * sizes.seconds)
        # What was accepted is still being worked off.
        while time.monotonic() < until and ours.room.stage.sink.count() < alerts:
            time.sleep(0.1)
    case = f"{sizes.noisy_alerts:,} alerts of another team"
    yield Sample("noisy team", "alerts accepted", alerts, "alerts", case)
    yield Sample("noisy team", "alerts accepted a second", alerts / posted.took, "/s", case)
    yield Sample("noisy team", "requests refused for now (429)", posted.refused, "", case)
    yield from _seen(ours, quiet, since, case)


def _raise_many(door: Door, alerts: int, seconds: float) -> tuple[Posted, int]:
    """As fast as they are taken, in batches if there are any."""
    many = Target(door.many, door.key)
    first = post_for(many, lambda: MANY, clients=1, count=1, seconds=1)
    if 404 in first.statuses or 405 in first.statuses:
        one = Target(door.one, door.key)
        posted = post_for(one, lambda: ONE, clients=NOISY_CLIENTS, count=alerts, seconds=seconds)
        return posted, posted.accepted
    posted = post_for(many, lambda: MANY, clients=NOISY_CLIENTS, count=alerts // BATCH, seconds=seconds)
    return posted, posted.accepted * BATCH


def _seen(ours: Ours, quiet: Quiet, since: float, case: str) -> Iterator[Sample]:
    """What the quiet team saw. What has not come after a while counts as late as it is until then."""
    who = "quiet team"
    time.sleep(QUIET_DELAY_SECONDS + 2)
    now = time.time()
    arrived = {arrival.job: arrival.at for arrival in ours.room.stage.sink.take()}
    with ours.sessions() as sessions, sessions() as session:
        steps = session.execute(FIRED, {"flow": quiet.door.flow_id, "since": since}).all()
    steps = [(str(id_), float(due), float(fired)) for id_, due, fired in steps]
    yield Sample(who, "alerts raised", len(quiet.seconds), "alerts", case)
    yield Sample(who, "alerts refused", quiet.refused, "alerts", case)
    yield from late(who, "answered within", [each * 1000 for each in quiet.seconds], case)
    yield from late(who, "due to fired", [(fired - due) * 1000 for _, due, fired in steps], case)
    sent = [(arrived.get(id_, now) - due) * 1000 for id_, due, _ in steps]
    yield from late(who, "due to sent", sent, case)
