"""The members of a team."""

from __future__ import annotations

from marshmallow import Schema, fields, post_load, validate

from alertops.models.team import Role
from api.fields import Instant
from api.schemas.pages import PageSchema


class RoleInput(Schema):
    role = fields.String(required=True, validate=validate.OneOf([*Role]))

    @post_load
    def _role(self, data: dict[str, str], **_: object) -> dict[str, Role]:
        return {"role": Role(data["role"])}


class HandOverInput(Schema):
    user_id = fields.UUID(required=True, metadata={"description": "The member who is to be the owner."})


class MemberSchema(Schema):
    id = fields.UUID(required=True)
    name = fields.String(required=True)
    email = fields.String(required=True)
    email_verified = fields.Boolean(required=True)
    role = fields.String(required=True, validate=validate.OneOf([*Role]))
    since = Instant(required=True)


class MemberPageSchema(PageSchema):
    items = fields.List(fields.Nested(MemberSchema), required=True)
