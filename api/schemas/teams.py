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


class DeletionSchema(Schema):
    """What ends with a team."""

    flows = fields.Integer(required=True, metadata={"description": "In use; they are archived."})
    executions = fields.Integer(required=True, metadata={"description": "Not over; they are cancelled."})
    invitations = fields.Integer(required=True, metadata={"description": "Open; they are revoked."})
    api_keys = fields.Integer(required=True, metadata={"description": "Not revoked yet."})
    members = fields.Integer(required=True, metadata={"description": "You are one of them."})
    sends_in_flight = fields.Integer(
        required=True, metadata={"description": "Sends that have begun; they are not called back."}
    )


class TeamPageSchema(PageSchema):
    items = fields.List(fields.Nested(TeamSchema), required=True)
