"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertops.flow_files.durations import to_seconds, to_text


@given(st.integers(0, 90 * 86_400))
def test_what_is_written_is_read_as_the_same(seconds: int) -> None:
    assert to_seconds(to_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), (0, 0), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("1d1h1m1s", 90_061)],
)
def test_units_are_added_up(text: str | int, seconds: int) -> None:
    assert to_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", 5, "m", "5 m", "5m\n", "-5m", "1.5h", "30m1h", "5m5m", "5M", "\u0665m", "9" * 50]
)
def test_anything_else_is_no_duration(text: str | int) -> None:
    assert to_seconds(text) is None
