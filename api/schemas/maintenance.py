"""Maintenance windows."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from alertops.models.maintenance import MaintenanceMode
from api.fields import Instant, Name
from api.schemas.hours import HoursSchema
from api.schemas.pages import PageSchema

_MODE = (
    "`hold`: executions are snoozed until it is over. `drop`: they are cancelled at once, and tell nobody."
)


class MaintenanceInput(Schema):
    name = Name(required=True)
    mode = fields.String(
        required=True,
        validate=validate.OneOf([*MaintenanceMode]),
        metadata={"description": _MODE},
    )
    flow_id = fields.UUID(
        load_default=None,
        allow_none=True,
        metadata={"description": "Of this flow alone; without it, of all flows of the team."},
    )
    starts_at = fields.AwareDateTime(
        format="iso",
        load_default=None,
        allow_none=True,
        metadata={"description": "Without it: now."},
    )
    ends_at = fields.AwareDateTime(
        format="iso",
        load_default=None,
        allow_none=True,
        metadata={"description": "Needed without `hours`; with them, after it they are met no more."},
    )
    hours = fields.Nested(
        HoursSchema,
        load_default=None,
        allow_none=True,
        metadata={"description": "It comes again: in these hours alone."},
    )

    @validates_schema
    def _has_an_end(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("ends_at") is None and data.get("hours") is None:
            raise ValidationError("Say when it ends, or in which hours it is.", "ends_at")


class MaintenanceSchema(Schema):
    id = fields.UUID(required=True)
    team_id = fields.UUID(required=True)
    flow_id = fields.UUID(required=True, allow_none=True)
    name = fields.String(required=True)
    mode = fields.String(required=True)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True, allow_none=True)
    hours = fields.Dict(required=True, allow_none=True)
    created_by = fields.UUID(required=True)
    created_at = Instant(required=True)
    ended_at = Instant(required=True, allow_none=True, metadata={"description": "It was ended by hand."})
    ended_by = fields.UUID(required=True, allow_none=True)


class EndedMaintenanceSchema(MaintenanceSchema):
    released = fields.Integer(
        required=True, metadata={"description": "How many executions it had held, and come back now."}
    )

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if attr == "released" else obj.window, attr, default)


class MaintenancePageSchema(PageSchema):
    items = fields.List(fields.Nested(MaintenanceSchema), required=True)
