"""Pages of lists: the parameters that ask for one, and its shape."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, validate

from alertops.services.pages import Place
from api.fields import QueryNumber

DEFAULT_LIMIT = 50
MAX_LIMIT = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Few enough digits that no number in them is out of range, in Python or in Postgres.
_PLACE = re.compile("([0-9]{1,16})-([0-9a-f]{32})")
_NUMBER = re.compile("[0-9]{1,18}")


class PlaceCursor(fields.Field[Place]):
    """A place in a list that is ordered by creation; opaque to the caller."""

    def _serialize(self, value: Place | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        return _encode(f"{(value.created_at - _EPOCH) // _MICROSECOND}-{value.id.hex}")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Place:
        since_epoch, row_id = _decode(value, _PLACE).groups()
        return Place(_EPOCH + int(since_epoch) * _MICROSECOND, UUID(row_id))


class NumberCursor(fields.Field[int]):
    """A place in a list that is ordered by number; opaque to the caller."""

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else _encode(str(value))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        return int(_decode(value, _NUMBER)[0])


class LimitQuery(Schema):
    """How many items."""

    limit = QueryNumber(load_default=DEFAULT_LIMIT, validate=validate.Range(1, MAX_LIMIT))


class PageQuery(LimitQuery):
    """Which page: how many items, and after which place."""

    after = PlaceCursor(data_key="cursor")


class PageSchema(Schema):
    """A page of a list. With `next_cursor` as `cursor`, the same request gets the next page."""

    next_cursor = PlaceCursor(attribute="next", required=True, allow_none=True)


def _encode(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(value: Any, form: re.Pattern[str]) -> re.Match[str]:
    try:
        text = urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
    # TypeError: the parameter was repeated, so that the value is a list.
    except (ValueError, TypeError):
        text = ""
    match = form.fullmatch(text)
    if match is None:
        raise ValidationError("Not a cursor of this list.")
    return match
