"""A host that hangs has a few threads of a worker, and whoever is sent away comes back, one after another."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise

import pytest

from alertops.services.deliveries import host_places
from alertops.services.deliveries.host_places import (
    LONGEST_SECONDS,
    PLACES,
    SHORTEST_SECONDS,
    USUAL_SECONDS,
    HostPlaces,
    Place,
)

HANGS, WELL = "hangs.example.com", "well.example.com"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fill(places: HostPlaces, stack: ExitStack, count: int = PLACES) -> list[Place]:
    return [stack.enter_context(places.place(HANGS)) for _ in range(count)]


def away(places: HostPlaces, host: str = HANGS) -> float | None:
    with places.place(host) as place:
        return place.away_seconds


def test_a_host_has_so_many_places_and_others_have_theirs(clock: Clock) -> None:
    places = HostPlaces(clock=clock)
    with ExitStack() as stack:
        assert {place.away_seconds for place in fill(places, stack)} == {None}
        assert away(places) == SHORTEST_SECONDS
        assert away(places, WELL) is None
    assert away(places) is None


def test_those_who_are_sent_away_come_back_one_after_another(clock: Clock) -> None:
    places = HostPlaces(clock=clock)
    with ExitStack() as stack:
        fill(places, stack)
        told = [away(places) or 0 for _ in range(2000)]
    assert told[0] == SHORTEST_SECONDS
    apart = USUAL_SECONDS / PLACES
    assert all(later - sooner == pytest.approx(apart) for sooner, later in pairwise(told[:500]))
    assert max(told) == LONGEST_SECONDS


def converse(places: HostPlaces, clock: Clock, seconds: float, *, answers: bool) -> None:
    with places.place(HANGS) as place:
        assert place.away_seconds is None
        clock.now += seconds
        if not answers:
            place.unanswered()


@pytest.mark.parametrize(
    ("seconds", "answers", "apart"),
    [(0.01, True, 0.01 / PLACES), (5.0, True, 5.0 / PLACES), (5.0, False, 5.0)],
)
def test_they_come_back_as_fast_as_the_host_takes_them(
    clock: Clock, seconds: float, answers: bool, apart: float
) -> None:
    places = HostPlaces(clock=clock)
    with ExitStack() as busy:
        # What is known of a host that answers is forgotten when nobody speaks to it.
        fill(places, busy, 1 if answers else 0)
        for _ in range(20):
            converse(places, clock, seconds, answers=answers)
        fill(places, busy, PLACES - 1 if answers else 1)
        first, second = away(places) or 0, away(places) or 0
    assert first == SHORTEST_SECONDS
    assert second - first == pytest.approx(apart, rel=0.01)


def test_a_host_that_did_not_answer_has_one_place_until_it_does(clock: Clock) -> None:
    places = HostPlaces(clock=clock)
    with places.place(HANGS) as place:
        place.unanswered()
    with ExitStack() as stack:
        fill(places, stack, count=1)
        assert away(places) == SHORTEST_SECONDS
    with ExitStack() as stack:
        assert {place.away_seconds for place in fill(places, stack)} == {None}


def test_a_place_is_given_back_whatever_happens(clock: Clock) -> None:
    places = HostPlaces(clock=clock)

    def die() -> None:
        with places.place(HANGS) as place:
            assert place.away_seconds is None
            raise KeyboardInterrupt

    for _ in range(PLACES + 1):
        with pytest.raises(KeyboardInterrupt):
            die()


def test_what_is_over_is_forgotten_and_there_is_a_bound(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = HostPlaces(clock=clock)
    assert away(places) is None
    assert places._hosts == {}
    monkeypatch.setattr(host_places, "REMEMBERED", 10)
    with places.place(WELL):
        for number in range(50):
            with places.place(f"{number}.example.com") as place:
                place.unanswered()
        assert len(places._hosts) <= 12
        assert WELL in places._hosts
