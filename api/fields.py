"""Fields that take a value as it is or not at all: `"5"` is no number, and neither is `true`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from alertops.channels.address import ascii_address
from alertops.channels.webhook_url import MAX_URL, check_webhook_url

MAX_EMAIL = 254


class WholeNumber(fields.Integer):
    """A JSON number without a fraction."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class Decimal(fields.Float):
    """A JSON number."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if type(value) not in (int, float):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class Flag(fields.Boolean):
    """`true` or `false`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class QueryNumber(fields.Integer):
    """A number in a query string: digits alone."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch("[0-9]{1,9}", value):
            raise self.make_error("invalid")
        return int(value)


class Name(fields.String):
    """What people call a thing: up to 100 characters, and something to see among them."""

    def __init__(self, **kwargs: Any) -> None:
        visible = validate.Regexp(r"[\s\S]*\S", error="Must not be blank.")
        super().__init__(validate=[validate.Length(1, 100), visible], **kwargs)


class EmailAddress(fields.Email):
    """An address that our channel can mail; kept as it was typed."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        # The length first: the checks after it are not made for a megabyte.
        if isinstance(value, str) and len(value) > MAX_EMAIL:
            raise ValidationError(f"Longer than maximum length {MAX_EMAIL}.")
        address = super()._deserialize(value, attr, data, **kwargs)
        try:
            ascii_address(address)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return address


class WebhookUrl(fields.String):
    """A URL that alerts can be posted to; kept as it was typed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": "^[Hh][Tt][Tt][Pp][Ss]?://", "maxLength": MAX_URL}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return check_webhook_url(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class ClockTime(fields.String):
    """A time of day, as a clock shows it: `07:30`."""

    def __init__(self, *, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        described = {"pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "example": "22:00", **(metadata or {})}
        super().__init__(metadata=described, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", text):
            raise ValidationError("Must be a time of day between 00:00 and 23:59.")
        return text


class Distinct(fields.List[str]):
    """A list of words that names none of them twice."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str | None]:
        words = super()._deserialize(value, attr, data, **kwargs)
        for place, word in enumerate(words):
            if word in words[:place]:
                raise ValidationError({place: ["Named before in this list."]})
        return words


class Instant(fields.DateTime):
    """A time to show: RFC 3339 in UTC, to the microsecond."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class OneOf(fields.Field[dict[str, Any]]):
    """An object of one of several kinds, told apart by its `type`, or by another member."""

    def __init__(self, kinds: Mapping[str, type[Schema]], by: str = "type", **kwargs: Any) -> None:
        self.kinds, self.by = kinds, by
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("Must be an object.")
        kind = value.get(self.by)
        if not isinstance(kind, str) or kind not in self.kinds:
            raise ValidationError({self.by: [f"Must be one of: {', '.join(self.kinds)}."]})
        loaded: dict[str, Any] = self.kinds[kind]().load(value)
        return loaded
