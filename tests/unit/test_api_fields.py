"""Fields take a value as it is or not at all; cursors come back as the place that they were made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, fields

from alertops.services.pages import Place
from api.fields import Decimal, EmailAddress, Instant, Name, QueryNumber, WholeNumber
from api.schemas.pages import NumberCursor, PlaceCursor


@pytest.mark.parametrize("value", ["5", True, 1.0, 1.5, [1], {}, b"5", None])
def test_only_a_whole_number_is_a_whole_number(value: Any) -> None:
    with pytest.raises(ValidationError):
        WholeNumber().deserialize(value)


@pytest.mark.parametrize("value", ["2", False, None, [], 10**400])
def test_only_a_number_is_a_number(value: Any) -> None:
    with pytest.raises(ValidationError):
        Decimal().deserialize(value)


def test_zero_is_a_number() -> None:
    assert WholeNumber().deserialize(0) == 0
    assert Decimal().deserialize(0) == 0.0


@pytest.mark.parametrize("value", ["", " 5", "+5", "-5", "5.0", "1_0", "\u0665", "9" * 10, ["5"]])
def test_a_number_in_a_query_is_digits_alone(value: Any) -> None:
    with pytest.raises(ValidationError):
        QueryNumber().deserialize(value)


@pytest.mark.parametrize("value", ["", " ", "\n\t", "x" * 101, 5, None])
def test_a_name_can_be_seen_and_is_short(value: Any) -> None:
    with pytest.raises(ValidationError):
        Name().deserialize(value)


@pytest.mark.parametrize("address", ["ann@example.org", "Ann+db@B\u00fccher.example"])
def test_an_address_is_kept_as_it_was_typed(address: str) -> None:
    assert EmailAddress().deserialize(address) == address


@pytest.mark.parametrize(
    "address", ["ann", "a@b@example.org", "Ann <ann@example.org>", "ann@ex ample.org", "\u00e4@x.org"]
)
def test_an_address_that_cannot_be_mailed_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        EmailAddress().deserialize(address)


def test_a_time_is_shown_in_utc_to_the_microsecond() -> None:
    noon_in_rome = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert Instant()._serialize(noon_in_rome, None, None) == "2026-07-01T10:00:00.000000Z"


@given(
    st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001  hypothesis wants naive bounds
    st.uuids(),
)
def test_a_cursor_is_the_place_that_it_was_made_of(at: datetime, row: Any) -> None:
    place = Place(at.replace(tzinfo=UTC), row)
    assert PlaceCursor().deserialize(PlaceCursor()._serialize(place, None, None)) == place


@given(st.integers(min_value=0, max_value=2**59))
def test_a_numbered_cursor_is_the_number_that_it_was_made_of(number: int) -> None:
    assert NumberCursor().deserialize(NumberCursor()._serialize(number, None, None)) == number


@pytest.mark.parametrize("cursor", [PlaceCursor(), NumberCursor()])
@given(broken=st.text() | st.lists(st.text()))
def test_a_broken_cursor_is_refused(cursor: fields.Field[Any], broken: Any) -> None:
    try:
        cursor.deserialize(broken)
    except ValidationError:
        return
    # What is taken is what we could have given: a number, in base64.
    assert isinstance(broken, str)
