"""Hours that come again, in the words of the API. What they mean is the escalation core's to say."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

from marshmallow import Schema, ValidationError, fields, validate

from alertops.escalation.hours import DAYS
from api.fields import ClockTime, Distinct


@cache
def _time_zones() -> frozenset[str]:
    """The names of the zones; not that of where this machine happens to be."""
    return frozenset(available_timezones() - {"localtime"})


def _is_time_zone(name: str) -> None:
    if name not in _time_zones():
        raise ValidationError("Not a time zone of the IANA database, such as Europe/Berlin.")


class HoursSchema(Schema):
    """What passes midnight belongs to the day on which it begins."""

    class Meta:
        include = {  # noqa: RUF012  read from the class; `from` cannot be an attribute
            "from": ClockTime(required=True),
            "to": ClockTime(
                required=True,
                metadata={"description": "Over at this time. The same as `from`: the whole day."},
            ),
        }

    time_zone = fields.String(
        required=True,
        validate=[validate.Length(max=100), _is_time_zone],
        metadata={"description": "Of the IANA database.", "example": "Europe/Berlin"},
    )
    days = Distinct(
        fields.String(validate=validate.OneOf(DAYS)),
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, len(DAYS)),
        metadata={"description": "On which it begins; null: on all."},
    )
