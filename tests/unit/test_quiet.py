"""Quiet hours are what a clock on the wall says, on the days on which they begin, also when it is changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertops.escalation.contact import USUAL, ContactMethod, methods_from_json
from alertops.escalation.quiet import DAYS, QuietHours, is_quiet, quiet_from_json

BERLIN = "Europe/Berlin"
NIGHT = QuietHours(time(22), time(7), BERLIN)

clocks = st.builds(time, st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from([BERLIN, "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
times = st.integers(0, 15 * 365 * 24 * 60).map(
    lambda n: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=n)
)
hours = st.builds(
    QuietHours, clocks, clocks, zones, st.frozensets(st.sampled_from(DAYS), min_size=1), st.just(frozenset())
)


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN), fold=fold)


def quiet(hours: QuietHours, text: str, fold: int = 0) -> bool:
    return is_quiet(hours, berlin(text, fold), "warning")


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
def test_a_night_is_quiet_from_its_first_moment_up_to_and_without_its_last(at: str, expected: bool) -> None:
    assert quiet(NIGHT, at) is expected


def test_hours_within_a_day_end_on_that_day() -> None:
    noon = replace(NIGHT, begins=time(12), ends=time(13, 30))
    found = [quiet(noon, f"2026-03-10 {at}") for at in ("11:59", "12:00", "13:29", "13:30", "23:00", "00:00")]
    assert found == [False, True, True, False, False, False]


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday = replace(NIGHT, days=frozenset({"friday"}))
    # 13 March 2026 is a Friday.
    assert [quiet(friday, f"2026-03-{at}") for at in ("13 03:00", "13 23:00", "14 03:00", "14 23:00")] == [
        False,
        True,
        True,
        False,
    ]


def test_equal_times_are_a_whole_day_from_then_on() -> None:
    weekend = QuietHours(time(0), time(0), BERLIN, frozenset({"saturday", "sunday"}))
    at = ("13 23:59", "14 00:00", "15 23:59", "16 00:00")
    assert [quiet(weekend, f"2026-03-{each}") for each in at] == [False, True, True, False]
    from_nine = QuietHours(time(9), time(9), BERLIN, frozenset({"saturday"}))
    at = ("14 08:59", "14 09:00", "15 08:59", "15 09:00")
    assert [quiet(from_nine, f"2026-03-{each}") for each in at] == [False, True, True, False]


def test_in_the_night_that_has_no_half_past_two_nothing_that_lies_there_is_quiet() -> None:
    skipped = QuietHours(time(2, 15), time(2, 45), BERLIN)
    begins = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    moments = [begins + timedelta(minutes=5 * n) for n in range(24)]
    assert not any(is_quiet(skipped, at, "warning") for at in moments)
    # And a night that spans the gap is quiet to its end by the clock, an hour sooner.
    assert is_quiet(NIGHT, datetime(2026, 3, 29, 4, 59, tzinfo=UTC), "warning")
    assert not is_quiet(NIGHT, datetime(2026, 3, 29, 5, 0, tzinfo=UTC), "warning")


def test_in_the_night_that_has_half_past_two_twice_it_is_quiet_twice() -> None:
    twice = QuietHours(time(2, 15), time(2, 45), BERLIN)
    assert [quiet(twice, "2026-10-25 02:30", fold) for fold in (0, 1)] == [True, True]
    assert not is_quiet(twice, datetime(2026, 10, 25, 1, 0, tzinfo=UTC), "warning")
    assert is_quiet(NIGHT, datetime(2026, 10, 25, 5, 59, tzinfo=UTC), "warning")
    assert not is_quiet(NIGHT, datetime(2026, 10, 25, 6, 0, tzinfo=UTC), "warning")


def test_severities_that_are_excepted_are_never_quiet() -> None:
    night = replace(NIGHT, except_severities=frozenset({"critical"}))
    assert not is_quiet(night, berlin("2026-03-10 23:00"), "critical")
    assert is_quiet(night, berlin("2026-03-10 23:00"), "error")


def test_in_a_zone_that_this_machine_does_not_know_nobody_is_left_asleep() -> None:
    assert not quiet(replace(NIGHT, time_zone="Mars/Olympus_Mons"), "2026-03-10 23:00")


@given(hours, times)
def test_it_is_the_time_that_counts_and_not_the_zone_that_it_is_told_in(
    quiet: QuietHours, at: datetime
) -> None:
    elsewhere = at.astimezone(ZoneInfo("Pacific/Chatham"))
    assert is_quiet(quiet, at, "info") == is_quiet(quiet, elsewhere, "info")


@given(hours, times)
def test_each_moment_is_quiet_or_is_so_with_the_times_exchanged(quiet: QuietHours, at: datetime) -> None:
    """The hours and their complement: on all days, no moment is in both or in neither."""
    every_day = replace(quiet, days=frozenset(DAYS))
    other = replace(every_day, begins=quiet.ends, ends=quiet.begins)
    if quiet.begins == quiet.ends:
        assert is_quiet(every_day, at, "info")
    else:
        assert is_quiet(every_day, at, "info") != is_quiet(other, at, "info")


@given(hours, times)
def test_the_days_share_the_quiet_of_a_week_among_them(quiet: QuietHours, at: datetime) -> None:
    every_day = replace(quiet, days=frozenset(DAYS))
    one_by_one = [is_quiet(replace(quiet, days=frozenset({day})), at, "info") for day in DAYS]
    assert sum(one_by_one) == is_quiet(every_day, at, "info")


def test_a_method_is_judged_at_the_time_at_which_it_would_be_used() -> None:
    method = ContactMethod("email", after_seconds=3600, quiet=NIGHT)
    assert not method.is_quiet(berlin("2026-03-10 20:59:59"), "warning")
    assert method.is_quiet(berlin("2026-03-10 21:00"), "warning")
    assert not method.is_quiet(berlin("2026-03-11 06:00"), "warning")


def test_methods_are_read_as_they_are_stored() -> None:
    night = {"from": "22:00", "to": "07:00", "time_zone": BERLIN, "days": None, "except_severities": []}
    stored = [
        {"channel": "email", "after_seconds": 0, "quiet": night},
        {"channel": "webhook", "url": "https://example.org/x", "after_seconds": 120, "quiet": None},
    ]
    assert methods_from_json(stored) == [
        ContactMethod("email", quiet=NIGHT),
        ContactMethod("webhook", "https://example.org/x", 120),
    ]
    assert quiet_from_json({**night, "days": ["monday"]}).days == {"monday"}


def test_who_has_said_nothing_is_told_by_mail_at_once() -> None:
    assert methods_from_json(None) == methods_from_json([]) == USUAL == (ContactMethod("email"),)
