"""How somebody wants to be told: ordered methods, each with quiet hours. Limits are the escalation core's."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from alertops.escalation.contact import MAX_AFTER_SECONDS, MAX_METHODS
from alertops.escalation.hours import DAYS
from alertops.models.execution import SEVERITIES
from api.fields import ClockTime, Distinct, OneOf, WebhookUrl, WholeNumber


@cache
def _time_zones() -> frozenset[str]:
    """The names of the zones; not that of where this machine happens to be."""
    return frozenset(available_timezones() - {"localtime"})


def _is_time_zone(name: str) -> None:
    if name not in _time_zones():
        raise ValidationError("Not a time zone of the IANA database, such as Europe/Berlin.")


class QuietSchema(Schema):
    """When the method is not used. What passes midnight belongs to the day on which it begins."""

    class Meta:
        include = {  # noqa: RUF012  read from the class; `from` cannot be an attribute
            "from": ClockTime(required=True),
            "to": ClockTime(
                required=True,
                metadata={
                    "description": "Not quiet any more at this time. The same as `from`: the whole day."
                },
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
    except_severities = Distinct(
        fields.String(validate=validate.OneOf(SEVERITIES)),
        load_default=lambda: ["critical"],
        validate=validate.Length(max=len(SEVERITIES)),
        metadata={"description": "Told all the same. If it is not said: critical."},
    )


class EmailMethod(Schema):
    """Mail to the address of the account."""

    channel = fields.String(required=True, validate=validate.OneOf(["email"]))
    after_seconds = WholeNumber(
        load_default=0,
        validate=validate.Range(0, MAX_AFTER_SECONDS),
        metadata={"description": "After the step was due; nobody is told any more who has answered by then."},
    )
    quiet = fields.Nested(QuietSchema, load_default=None, allow_none=True)


class WebhookMethod(EmailMethod):
    """A program that takes alerts by HTTP."""

    channel = fields.String(required=True, validate=validate.OneOf(["webhook"]))
    url = WebhookUrl(required=True)


METHODS: dict[str, type[Schema]] = {"email": EmailMethod, "webhook": WebhookMethod}
_DESCRIBED = {"oneOf": [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in METHODS.values()]}


class ContactMethodsSchema(Schema):
    """All of them, in their order. None: mail to the address of the account, at once."""

    methods = fields.List(
        OneOf(METHODS, by="channel", metadata=_DESCRIBED),
        required=True,
        validate=validate.Length(max=MAX_METHODS),
    )

    @validates_schema
    def _each_address_once(self, data: dict[str, Any], **_: Any) -> None:
        known: list[str | None] = []
        for place, method in enumerate(data.get("methods", ())):
            if method.get("url") in known:
                raise ValidationError({"methods": {place: ["Leads to the same address as one before it."]}})
            known.append(method.get("url"))
