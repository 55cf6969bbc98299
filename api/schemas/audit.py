"""The audit log."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from alertops.models.actor_kind import ActorKind
from api.fields import Instant
from api.schemas.pages import LimitQuery, NumberCursor

_action = validate.Regexp(r"[a-z_]{1,40}\.[a-z_]{1,40}\Z", error="Not an action, such as member.removed.")
_from = {"description": "RFC 3339, with its offset from UTC; this moment included."}
_before = {"description": "RFC 3339, with its offset from UTC; this moment not included."}


class AuditQuery(LimitQuery):
    after = NumberCursor(data_key="cursor")
    action = fields.String(validate=_action)
    actor_id = fields.UUID()
    since = fields.AwareDateTime(format="iso", metadata=_from)


class ExportQuery(Schema):
    since = fields.AwareDateTime(format="iso", metadata=_from)
    until = fields.AwareDateTime(format="iso", metadata=_before)


class AuditEntrySchema(Schema):
    id = fields.Integer(required=True)
    at = Instant(required=True)
    actor_kind = fields.String(required=True, validate=validate.OneOf([*ActorKind]))
    actor_id = fields.UUID(required=True)
    address = fields.String(required=True, allow_none=True)
    action = fields.String(required=True)
    subject = fields.String(required=True)
    subject_id = fields.UUID(required=True)
    before = fields.Dict(required=True, allow_none=True)
    after = fields.Dict(required=True, allow_none=True)


class AuditPageSchema(Schema):
    items = fields.List(fields.Nested(AuditEntrySchema), required=True)
    next_cursor = NumberCursor(attribute="next", required=True, allow_none=True)
