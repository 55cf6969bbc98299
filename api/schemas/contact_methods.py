"""How somebody wants to be told: ordered methods, each with quiet hours. Limits are the escalation core's."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from alertops.escalation.contact import MAX_AFTER_SECONDS, MAX_METHODS
from alertops.models.execution import SEVERITIES
from api.fields import Distinct, OneOf, WebhookUrl, WholeNumber
from api.schemas.hours import HoursSchema


class QuietSchema(HoursSchema):
    """When the method is not used."""

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
