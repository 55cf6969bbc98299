"""API keys."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from alertops.models.api_key import Scope
from api.fields import Instant, Name, WholeNumber
from api.schemas.pages import PageSchema

MIN_LIFETIME = 60
MAX_LIFETIME = 10 * 366 * 24 * 3600

_scope = fields.String(validate=validate.OneOf([*Scope]))


def _each_once(scopes: list[str]) -> None:
    if len(set(scopes)) < len(scopes):
        raise ValidationError("Each scope is named once.")


class ApiKeyInput(Schema):
    name = Name(required=True)
    scopes = fields.List(_scope, required=True, validate=[validate.Length(1, len(Scope)), _each_once])
    expires_in_seconds = WholeNumber(
        allow_none=True,
        validate=validate.Range(MIN_LIFETIME, MAX_LIFETIME),
        metadata={"description": "Without it, the key is good until it is revoked."},
    )


class ApiKeySchema(Schema):
    id = fields.UUID(required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True, metadata={"description": "How the key begins."})
    scopes = fields.List(_scope, required=True)
    created_by = fields.UUID(required=True)
    created_at = Instant(required=True)
    expires_at = Instant(required=True, allow_none=True)
    last_used_at = Instant(required=True, allow_none=True, metadata={"description": "To the minute."})
    revoked_at = Instant(required=True, allow_none=True)
    revoked_by = fields.UUID(required=True, allow_none=True)


class MadeKeySchema(ApiKeySchema):
    """Of an object that holds an `api_key` and its text: one flat object of both."""

    key = fields.String(required=True, metadata={"description": "Shown here, and never again."})

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if attr == "key" else obj.api_key, attr, default)


class ApiKeyPageSchema(PageSchema):
    items = fields.List(fields.Nested(ApiKeySchema), required=True)
