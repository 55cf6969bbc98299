"""What a team starts beyond its share goes by the bulk lane, and nobody else's does."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from alertops.services.backlog import SHORT, short_queues
from alertops.services.lanes import AT_ONCE, PER_SECOND, REMEMBERED, Shares, crowding
from tasks.delay import route
from tasks.lanes import LaneShares
from tasks.queues import task_queues

NOISY, QUIET = uuid4(), uuid4()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(shares: Shares, team: UUID, tries: int) -> int:
    return sum(shares.takes(team, 1) for _ in range(tries))


def test_a_team_has_so_many_at_once_and_then_so_many_a_second() -> None:
    clock = Clock()
    shares = Shares(clock)
    assert taken(shares, NOISY, 10_000) == AT_ONCE
    clock.now += 2
    assert taken(shares, NOISY, 10_000) == 2 * PER_SECOND
    clock.now += 3600
    assert taken(shares, NOISY, 10_000) == AT_ONCE


def test_one_team_uses_up_no_share_of_another() -> None:
    shares = Shares(Clock())
    taken(shares, NOISY, 10_000)
    assert taken(shares, QUIET, 10_000) == AT_ONCE


def test_a_batch_that_does_not_fit_goes_whole_by_the_other_lane_and_uses_up_nothing() -> None:
    shares = Shares(Clock())
    assert not shares.takes(NOISY, AT_ONCE + 1)
    assert shares.takes(NOISY, AT_ONCE)
    assert not shares.takes(NOISY, 1)


def test_no_more_teams_are_remembered_than_it_says() -> None:
    shares = Shares(Clock())
    for _ in range(REMEMBERED + 10):
        shares.takes(uuid4(), 1)
    assert len(shares._clear_at) == REMEMBERED


def test_a_team_that_fills_a_page_of_what_is_late_is_told_from_one_that_is_in_it() -> None:
    page: list[UUID | None] = [NOISY] * (AT_ONCE + 1) + [QUIET] * AT_ONCE + [None] * (AT_ONCE + 1)
    assert crowding(page) == {NOISY}


@pytest.mark.parametrize("queue", ["fire.bulk", "send.events", "send.apprise"])
@pytest.mark.parametrize("delay", [0.0, 0.2, 1.0, 7.3])
def test_what_has_few_places_is_never_held_by_a_worker_and_never_early(delay: float, queue: str) -> None:
    fast, bulk = route("fire", delay), route(queue, delay)
    assert bulk.hold_seconds == 0
    assert _seconds(bulk.routing_key) >= delay
    assert _seconds(bulk.routing_key) < delay + 1
    assert fast.hold_seconds == pytest.approx(delay % 1)


def _seconds(routing_key: str) -> int:
    """What the bits before the queue's name say."""
    bits = [bit for bit in routing_key.split(".") if bit in ("0", "1")]
    return int("".join(bits) or "0", 2)


@pytest.mark.parametrize(("fast", "bulk", "short"), [(0, 0, True), (0, SHORT + 1, False), (SHORT, 1, False)])
def test_a_backlog_in_either_lane_is_one(fast: int, bulk: int, short: bool) -> None:
    queues = SimpleNamespace(ready=lambda: {"fire": fast, "fire.bulk": bulk})
    assert ("fire" in short_queues(queues)) is short


def test_every_queue_of_alerts_has_a_bulk_lane() -> None:
    names = {queue.name for queue in task_queues()}
    assert {name for name in names if name.endswith(".bulk")} == {
        f"{name}.bulk" for name in names if name == "fire" or name.startswith("send.") if _of_alerts(name)
    }


def _of_alerts(name: str) -> bool:
    return not name.endswith(".bulk") and name != "send.letters"


class Consumer:
    """kombu's, as far as it is asked here: what was said of the prefetch before each queue."""

    def __init__(self) -> None:
        self.prefetch = 0
        self.told: dict[str, int] = {}

    def qos(self, *, prefetch_count: int, apply_global: bool) -> None:
        assert not apply_global
        self.prefetch = prefetch_count

    def _basic_consume(self, queue: SimpleNamespace, **_: object) -> None:
        self.told[queue.name] = self.prefetch

    def consume(self, names: Sequence[str]) -> dict[str, int]:
        for name in names:
            self._basic_consume(SimpleNamespace(name=name))
        return self.told


@pytest.mark.parametrize(("threads", "half", "quarter", "few"), [(16, 8, 4, 2), (1, 1, 1, 1)])
def test_a_worker_has_a_share_of_its_threads_for_a_bulk_lane_for_events_and_for_apprise(
    threads: int, half: int, quarter: int, few: int
) -> None:
    consumer = Consumer()
    worker = SimpleNamespace(
        task_consumer=consumer, initial_prefetch_count=128, controller=SimpleNamespace(concurrency=threads)
    )
    LaneShares.start(SimpleNamespace(), worker)  # type: ignore[arg-type]  # of the step, nothing is asked
    queues = ["fire", "fire.bulk", "send.events", "send.events.bulk", "send.apprise", "recovery"]
    assert consumer.consume(queues) == {
        "fire": 128,
        "fire.bulk": few,
        "send.events": half,
        "send.events.bulk": few,
        "send.apprise": quarter,
        "recovery": 128,
    }
