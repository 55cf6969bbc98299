"""When a worker must be taken for deaf, with a clock that the tests move."""

from __future__ import annotations

import pytest

from tasks.hearing import MISSED_UNTIL_DEAF, RECONNECTING_SECONDS, Heard, Hearing


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hearing(clock: Clock) -> Hearing:
    hearing = Hearing(clock)
    hearing.listen_to(["fire", "send.email"])
    return hearing


def send(hearing: Hearing, clock: Clock, queue: str, times: int = 1) -> None:
    for _ in range(times):
        clock.now += 5
        hearing.sent(queue, hearing.now())


def of(hearing: Hearing, queue: str) -> Heard:
    return next(heard for heard in hearing.report() if heard.queue == queue)


def test_a_worker_is_deaf_when_it_hears_none_of_three_canaries(hearing: Hearing, clock: Clock) -> None:
    send(hearing, clock, "fire", MISSED_UNTIL_DEAF - 1)
    assert not of(hearing, "fire").deaf
    send(hearing, clock, "fire")
    assert of(hearing, "fire") == Heard("fire", 15.0, 3)
    assert of(hearing, "fire").deaf


def test_being_deaf_on_one_queue_is_not_made_up_for_by_another(hearing: Hearing, clock: Clock) -> None:
    send(hearing, clock, "fire", 3)
    hearing.heard("send.email")
    assert of(hearing, "fire").deaf
    assert not of(hearing, "send.email").deaf


@pytest.mark.parametrize("routing_key", ["fire", "0.0.1.0.1.fire"])
def test_whatever_comes_from_the_queue_is_heard_also_through_the_delay_layer(
    hearing: Hearing, clock: Clock, routing_key: str
) -> None:
    send(hearing, clock, "fire", 2)
    hearing.heard(routing_key)
    send(hearing, clock, "fire")
    assert of(hearing, "fire") == Heard("fire", 5.0, 1)


def test_a_queue_whose_name_ends_alike_is_another_queue(hearing: Hearing, clock: Clock) -> None:
    send(hearing, clock, "fire", 3)
    hearing.heard("misfire")
    assert of(hearing, "fire").deaf


def test_a_canary_that_was_heard_before_its_confirm_came_is_not_missed(
    hearing: Hearing, clock: Clock
) -> None:
    sent_at = hearing.now()
    clock.now += 0.01
    hearing.heard("fire")
    hearing.sent("fire", sent_at)
    assert of(hearing, "fire").missed == 0


def test_before_it_listens_a_worker_misses_nothing(clock: Clock) -> None:
    hearing = Hearing(clock)
    hearing.heard("fire")
    assert hearing.report() == []


def test_a_worker_that_takes_up_its_queues_again_is_not_deaf(hearing: Hearing, clock: Clock) -> None:
    send(hearing, clock, "fire", 2)
    hearing.reconnects()
    send(hearing, clock, "fire", 3)
    assert not of(hearing, "fire").deaf
    hearing.consumes()
    assert of(hearing, "fire").missed == 0
    send(hearing, clock, "fire", MISSED_UNTIL_DEAF)
    assert of(hearing, "fire").deaf


def test_taking_up_its_queues_again_has_its_time(hearing: Hearing, clock: Clock) -> None:
    hearing.reconnects()
    clock.now += RECONNECTING_SECONDS
    send(hearing, clock, "fire", MISSED_UNTIL_DEAF)
    assert of(hearing, "fire").deaf
