"""Hours are what a clock on the wall says, on the days on which they begin, also when it is changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertops.escalation.hours import DAYS, Hours, end_of, within

BERLIN = "Europe/Berlin"
NIGHT = Hours(time(22), time(7), BERLIN)

clocks = st.builds(time, st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from([BERLIN, "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
times = st.integers(0, 15 * 365 * 24 * 60).map(
    lambda n: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=n)
)
hours = st.builds(Hours, clocks, clocks, zones, st.frozensets(st.sampled_from(DAYS), min_size=1))


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN), fold=fold)


def met(hours: Hours, text: str, fold: int = 0) -> bool:
    return within(hours, berlin(text, fold))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-10 21:59:59.999999", False),
        ("2026-03-10 22:00", True),
        ("2026-03-10 23:59:59", True),
        ("2026-03-11 00:00", True),
        ("2026-03-11 06:59:59.999999", True),
        ("2026-03-11 07:00", False),
        ("2026-03-11 12:00", False),
    ],
)
def test_a_night_lasts_from_its_first_moment_up_to_and_without_its_last(at: str, expected: bool) -> None:
    assert met(NIGHT, at) is expected


def test_hours_within_a_day_end_on_that_day() -> None:
    noon = replace(NIGHT, begins=time(12), ends=time(13, 30))
    found = [met(noon, f"2026-03-10 {at}") for at in ("11:59", "12:00", "13:29", "13:30", "23:00", "00:00")]
    assert found == [False, True, True, False, False, False]


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday = replace(NIGHT, days=frozenset({"friday"}))
    # 13 March 2026 is a Friday.
    assert [met(friday, f"2026-03-{at}") for at in ("13 03:00", "13 23:00", "14 03:00", "14 23:00")] == [
        False,
        True,
        True,
        False,
    ]


def test_equal_times_are_a_whole_day_from_then_on() -> None:
    weekend = Hours(time(0), time(0), BERLIN, frozenset({"saturday", "sunday"}))
    at = ("13 23:59", "14 00:00", "15 23:59", "16 00:00")
    assert [met(weekend, f"2026-03-{each}") for each in at] == [False, True, True, False]
    from_nine = Hours(time(9), time(9), BERLIN, frozenset({"saturday"}))
    at = ("14 08:59", "14 09:00", "15 08:59", "15 09:00")
    assert [met(from_nine, f"2026-03-{each}") for each in at] == [False, True, True, False]


def test_in_the_night_that_has_no_half_past_two_nothing_that_lies_there_within() -> None:
    skipped = Hours(time(2, 15), time(2, 45), BERLIN)
    begins = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    moments = [begins + timedelta(minutes=5 * n) for n in range(24)]
    assert not any(within(skipped, at) for at in moments)
    # And a night that spans the gap lasts to its end by the clock, an hour sooner.
    assert within(NIGHT, datetime(2026, 3, 29, 4, 59, tzinfo=UTC))
    assert not within(NIGHT, datetime(2026, 3, 29, 5, 0, tzinfo=UTC))


def test_in_the_night_that_has_half_past_two_twice_it_is_met_twice() -> None:
    twice = Hours(time(2, 15), time(2, 45), BERLIN)
    assert [met(twice, "2026-10-25 02:30", fold) for fold in (0, 1)] == [True, True]
    assert not within(twice, datetime(2026, 10, 25, 1, 0, tzinfo=UTC))
    assert within(NIGHT, datetime(2026, 10, 25, 5, 59, tzinfo=UTC))
    assert not within(NIGHT, datetime(2026, 10, 25, 6, 0, tzinfo=UTC))


def test_in_a_zone_that_this_machine_does_not_know_there_are_no_hours() -> None:
    assert not met(replace(NIGHT, time_zone="Mars/Olympus_Mons"), "2026-03-10 23:00")


@given(hours, times)
def test_it_is_the_time_that_counts_and_not_the_zone_that_it_is_told_in(some: Hours, at: datetime) -> None:
    elsewhere = at.astimezone(ZoneInfo("Pacific/Chatham"))
    assert within(some, at) == within(some, elsewhere)


@given(hours, times)
def test_each_moment_is_within_or_is_so_with_the_times_exchanged(some: Hours, at: datetime) -> None:
    """The hours and their complement: on all days, no moment is in both or in neither."""
    every_day = replace(some, days=frozenset(DAYS))
    other = replace(every_day, begins=some.ends, ends=some.begins)
    if some.begins == some.ends:
        assert within(every_day, at)
    else:
        assert within(every_day, at) != within(other, at)


@given(hours, times)
def test_the_days_share_the_hours_of_a_week_among_them(some: Hours, at: datetime) -> None:
    every_day = replace(some, days=frozenset(DAYS))
    one_by_one = [within(replace(some, days=frozenset({day})), at) for day in DAYS]
    assert sum(one_by_one) == within(every_day, at)


@pytest.mark.parametrize(
    ("at", "fold", "ends"),
    [
        ("2026-03-10 21:59", 0, None),
        ("2026-03-10 22:00", 0, "2026-03-11T06:00:00+00:00"),
        ("2026-03-11 06:59", 0, "2026-03-11T06:00:00+00:00"),
        ("2026-03-28 23:00", 0, "2026-03-29T05:00:00+00:00"),  # an hour shorter
        ("2026-10-24 23:00", 0, "2026-10-25T06:00:00+00:00"),  # an hour longer
    ],
)
def test_their_end_is_what_the_clock_says(at: str, fold: int, ends: str | None) -> None:
    found = end_of(NIGHT, berlin(at, fold))
    assert (found and found.isoformat()) == ends


def test_an_end_that_the_clock_shows_twice_is_the_one_to_come() -> None:
    twice = Hours(time(2, 15), time(2, 45), BERLIN)
    ends = [end_of(twice, berlin("2026-10-25 02:30", fold)) for fold in (0, 1)]
    assert ends == [datetime(2026, 10, 25, 0, 45, tzinfo=UTC), datetime(2026, 10, 25, 1, 45, tzinfo=UTC)]


@given(hours, times)
def test_they_end_exactly_if_they_are_met_and_soon(some: Hours, at: datetime) -> None:
    ends = end_of(some, at)
    assert (ends is not None) == within(some, at)
    if ends is not None:
        assert at < ends <= at + timedelta(hours=25, minutes=1)
        assert some.begins == some.ends or not within(some, ends)
