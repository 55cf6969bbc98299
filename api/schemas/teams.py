"""Teams."""

from __future__ import annotations

from marshmallow import Schema, fields

from api.fields import Instant, Name
from api.schemas.pages import PageSchema


class TeamInput(Schema):
    name = Name(required=True)


class TeamSchema(Schema):
    id = fields.UUID(required=True)
    name = fields.String(required=True)
    created_at = Instant(required=True)


class TeamPageSchema(PageSchema):
    items = fields.List(fields.Nested(TeamSchema), required=True)
