"""Recipients: whom a node tells, one or several at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from alertops.escalation.recipients import MAX_GROUP, MIN_GROUP
from alertops.models.team import Role
from api.fields import EmailAddress, OneOf, WebhookUrl


class EmailRecipient(Schema):
    """A mailbox."""

    type = fields.String(required=True, validate=validate.OneOf(["email"]))
    email = EmailAddress(required=True)


class UserRecipient(Schema):
    """A member of the team, in whatever ways the member wants when the node fires."""

    type = fields.String(required=True, validate=validate.OneOf(["user"]))
    user_id = fields.UUID(required=True)

    @post_load
    def _as_json(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**data, "user_id": str(data["user_id"])}


class RoleRecipient(Schema):
    """Every member of the team who has exactly this role when the node fires."""

    type = fields.String(required=True, validate=validate.OneOf(["role"]))
    role = fields.String(required=True, validate=validate.OneOf([*Role]))


class WebhookRecipient(Schema):
    """A program that takes alerts by HTTP."""

    type = fields.String(required=True, validate=validate.OneOf(["webhook"]))
    url = WebhookUrl(required=True)


class DestinationRecipient(Schema):
    """A place that the team keeps: a room of a chat, a telephone."""

    type = fields.String(required=True, validate=validate.OneOf(["destination"]))
    destination_id = fields.UUID(required=True)

    @post_load
    def _as_json(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**data, "destination_id": str(data["destination_id"])}


SINGLES: dict[str, type[Schema]] = {
    "email": EmailRecipient,
    "user": UserRecipient,
    "role": RoleRecipient,
    "webhook": WebhookRecipient,
    "destination": DestinationRecipient,
}


def _described(kinds: Iterable[type[Schema]]) -> dict[str, Any]:
    return {"oneOf": [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in kinds]}


class GroupRecipient(Schema):
    """Several recipients, who are told together; no groups among them, and nobody twice."""

    type = fields.String(required=True, validate=validate.OneOf(["group"]))
    recipients = fields.List(
        OneOf(SINGLES, metadata=_described(SINGLES.values())),
        required=True,
        validate=validate.Length(MIN_GROUP, MAX_GROUP),
    )

    @validates_schema
    def _no_two_equal(self, data: dict[str, Any], **_: Any) -> None:
        known: list[dict[str, Any]] = []
        for place, recipient in enumerate(data.get("recipients", ())):
            # Mailboxes compare without regard to case.
            alike = {**recipient, "email": recipient.get("email", "").lower()}
            if alike in known:
                raise ValidationError({"recipients": {place: ["Named before in this group."]}})
            known.append(alike)


RECIPIENTS: dict[str, type[Schema]] = {**SINGLES, "group": GroupRecipient}
RECIPIENTS_DESCRIBED = _described(RECIPIENTS.values())
