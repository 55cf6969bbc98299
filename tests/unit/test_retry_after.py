"""`Retry-After` as receivers write it: seconds, dates by whatever clock, and nonsense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from alertops.channels.retry_after import LONGEST_SECONDS, retry_after


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("999999999", LONGEST_SECONDS),
        ("9" * 5000, 0),
        ("-5", 0),
        ("1.5", 0),
        ("٣", 0),
        ("soon", 0),
        ("", 0),
        ("Sat, 99 Nov 2025 25:00:00 GMT", 0),
    ],
)
def test_seconds_are_taken_up_to_a_bound_and_nonsense_is_none(said: str, seconds: float) -> None:
    assert retry_after({"retry-after": said}) == seconds


def test_an_answer_that_does_not_say_asks_for_nothing() -> None:
    assert retry_after({}) == 0


@pytest.mark.parametrize("zone", ["GMT", "-0000"])
def test_a_date_counts_by_the_receivers_clock_whatever_that_says(zone: str) -> None:
    headers = {
        "date": f"Sun, 06 Nov 1994 08:49:37 {zone}",
        "retry-after": f"Sun, 06 Nov 1994 08:50:07 {zone}",
    }
    assert retry_after(headers) == 30
    assert retry_after({**headers, "retry-after": headers["date"]}) == 0


def test_a_date_counts_by_our_clock_if_the_receiver_tells_none() -> None:
    in_a_minute = datetime.now(UTC) + timedelta(seconds=60)
    for headers in ({}, {"date": "late"}):
        asked = retry_after({**headers, "retry-after": format_datetime(in_a_minute, usegmt=True)})
        assert 50 <= asked <= 60
    long_ago = {"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert retry_after(long_ago) == 0


def test_a_date_far_ahead_is_bounded() -> None:
    assert retry_after({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}) == LONGEST_SECONDS
