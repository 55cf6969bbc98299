"""Webhook secrets."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from api.fields import Instant
from api.schemas.pages import PageSchema


class WebhookSecretSchema(Schema):
    id = fields.UUID(required=True)
    prefix = fields.String(required=True, metadata={"description": "How the secret begins."})
    created_by = fields.UUID(required=True)
    created_at = Instant(required=True)
    last_used_at = Instant(required=True, allow_none=True, metadata={"description": "To the minute."})


class MadeWebhookSecretSchema(WebhookSecretSchema):
    """Of an object that holds a `webhook_secret` and its text: one flat object of both."""

    secret = fields.String(required=True, metadata={"description": "Shown here, and never again."})

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        holder = obj if attr == "secret" else obj.webhook_secret
        return super().get_attribute(holder, attr, default)


class WebhookSecretPageSchema(PageSchema):
    items = fields.List(fields.Nested(WebhookSecretSchema), required=True)
