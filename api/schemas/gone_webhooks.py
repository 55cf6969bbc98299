"""Webhooks that are gone."""

from __future__ import annotations

from marshmallow import Schema, fields

from api.fields import Instant
from api.schemas.pages import PageSchema


class GoneWebhookSchema(Schema):
    id = fields.UUID(required=True)
    url = fields.String(
        attribute="shown_url",
        required=True,
        metadata={"description": "Where it leads, without what lets others use it too."},
    )
    said = fields.String(required=True, metadata={"description": "What it answered."})
    created_at = Instant(required=True)


class GoneWebhookPageSchema(PageSchema):
    items = fields.List(fields.Nested(GoneWebhookSchema), required=True)
