"""Addresses that a team alerts and that are no member's."""

from __future__ import annotations

from marshmallow import Schema, fields

from api.fields import Instant
from api.schemas.pages import PageSchema


class OutsiderSchema(Schema):
    id = fields.UUID(required=True)
    address = fields.String(required=True)
    created_at = Instant(required=True)
    confirmed_at = Instant(
        required=True, allow_none=True, metadata={"description": "When it agreed to be alerted."}
    )
    stopped_at = Instant(
        required=True, allow_none=True, metadata={"description": "When it asked not to be any more."}
    )


class OutsiderPageSchema(PageSchema):
    items = fields.List(fields.Nested(OutsiderSchema), required=True)


class AddressedOutsiderSchema(Schema):
    """As the address itself sees it."""

    team_name = fields.String(required=True)
    address = fields.String(attribute="outsider.address", required=True)
    confirmed_at = Instant(attribute="outsider.confirmed_at", required=True, allow_none=True)
    stopped_at = Instant(attribute="outsider.stopped_at", required=True, allow_none=True)
