"""The thread that sends canaries, with a publisher and a pace that the tests give it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state

from alertops.errors import BrokerUnavailableError
from alertops.services.dispatch import Message
from tasks import watch
from tasks.hearing import MISSED_UNTIL_DEAF, Hearing
from tasks.watch import EXIT_CODE, Watch

ROUNDS = 10


class Ended(BaseException):
    """Instead of the end of the process."""


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody sleeps, and after so many rounds the worker is told to leave."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == ROUNDS:
            monkeypatch.setattr(state, "should_stop", 0)

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(state, "should_stop", None)
    monkeypatch.setattr(watch.time, "sleep", sleep)
    monkeypatch.setattr(watch.os, "_exit", end)
    return slept


def watching(publish: Callable[[Sequence[Message]], list[bool]]) -> Watch:
    hearing = Hearing()
    hearing.listen_to(["fire"])
    pool: Any = SimpleNamespace(limit=8)
    publisher: Any = SimpleNamespace(publish=publish)
    return Watch(hearing, pool, publisher, leave_seconds=15)


def test_a_worker_that_hears_nothing_of_what_the_broker_took_ends(paced: list[float]) -> None:
    with pytest.raises(Ended, match=str(EXIT_CODE)):
        watching(lambda messages: [True] * len(messages)).run(5)
    assert paced == [5] * MISSED_UNTIL_DEAF + [15]
    assert state.should_stop == EXIT_CODE


@pytest.mark.parametrize(
    ("queue", "explained"),
    [("fire", 0), ("send.events", 15), ("send.apprise", 15), ("send.webhook.bulk", 15)],
)
def test_where_there_are_few_places_all_of_them_may_be_in_a_send(queue: str, explained: float) -> None:
    clock = [0.0]
    hearing = Hearing(lambda: clock[0])
    hearing.listen_to([queue])
    pool: Any = SimpleNamespace(limit=8)
    watched = Watch(hearing, pool, SimpleNamespace(), leave_seconds=15)  # type: ignore[arg-type]  # sends nothing
    for _ in range(MISSED_UNTIL_DEAF):
        hearing.sent(queue, clock[0])
    assert watched._deaf_queues() == ([] if explained else [queue])
    clock[0] = explained
    assert watched._deaf_queues() == [queue]


@pytest.mark.parametrize("error", [BrokerUnavailableError("away"), AttributeError("of a closed connection")])
def test_a_canary_that_was_not_taken_ends_neither_the_worker_nor_the_watch(
    paced: list[float], error: Exception
) -> None:
    def fail(_: Sequence[Message]) -> list[bool]:
        raise error

    watching(fail).run(5)
    assert paced == [5] * ROUNDS
