"""Alerts in; executions, their steps, attempts and timelines out."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from alertops.escalation.states import AttemptStatus, ExecutionStatus, StepStatus
from alertops.models.execution import MAX_DEDUP_KEY, MAX_SUMMARY, SEVERITIES
from alertops.services.alerts import MAX_AT_ONCE, Alert
from alertops.services.resolution import shown_address
from api.fields import Instant
from api.schemas.pages import LimitQuery, NumberCursor, PageQuery, PageSchema


class AlertInput(Schema):
    summary = fields.String(required=True, validate=validate.Length(1, MAX_SUMMARY))
    severity = fields.String(load_default="critical", validate=validate.OneOf(SEVERITIES))
    dedup_key = fields.String(allow_none=True, validate=validate.Length(1, MAX_DEDUP_KEY))
    details = fields.Dict(load_default=dict)

    @post_load
    def _alert(self, data: dict[str, Any], **_: Any) -> Alert:
        return Alert(**data)


class AlertsInput(Schema):
    alerts = fields.List(fields.Nested(AlertInput), required=True, validate=validate.Length(1, MAX_AT_ONCE))


class ExecutionQuery(PageQuery):
    status = fields.String(validate=validate.OneOf([*ExecutionStatus]))


class TimelineQuery(LimitQuery):
    after = NumberCursor(data_key="cursor")


class ExecutionSchema(Schema):
    id = fields.UUID(required=True)
    team_id = fields.UUID(required=True)
    flow_id = fields.UUID(required=True)
    integration_id = fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "Which integration raised it; null: none did."},
    )
    revision = fields.Integer(attribute="revision_number", required=True)
    status = fields.String(required=True, validate=validate.OneOf([*ExecutionStatus]))
    summary = fields.String(required=True)
    severity = fields.String(required=True, validate=validate.OneOf(SEVERITIES))
    dedup_key = fields.String(required=True, allow_none=True)
    details = fields.Dict(required=True)
    alert_count = fields.Integer(required=True)
    group_until = Instant(
        required=True,
        allow_none=True,
        metadata={"description": "Until then it takes in alerts of its group; null: of its key alone."},
    )
    anchor_at = Instant(required=True)
    created_at = Instant(required=True)
    replay_of = fields.UUID(required=True, allow_none=True)
    snoozed_until = Instant(required=True, allow_none=True)
    acknowledged_at = Instant(required=True, allow_none=True)
    acknowledged_by = fields.UUID(required=True, allow_none=True)
    ended_at = Instant(required=True, allow_none=True)


class AlertSchema(Schema):
    summary = fields.String(required=True)
    severity = fields.String(required=True, validate=validate.OneOf(SEVERITIES))
    dedup_key = fields.String(required=True, allow_none=True)
    alert_count = fields.Integer(required=True, metadata={"description": "How often it came."})
    first_at = Instant(required=True)
    last_at = Instant(
        required=True,
        allow_none=True,
        metadata={"description": "Null where the flow groups nothing: the timeline has the repeats."},
    )
    resolved_at = Instant(required=True, allow_none=True)


class AlertPageSchema(Schema):
    items = fields.List(fields.Nested(AlertSchema), required=True)
    alerts = fields.Integer(required=True, metadata={"description": "How many there are, repeats aside."})
    unresolved = fields.Integer(required=True, metadata={"description": "How many of them are not over."})
    next_cursor = NumberCursor(attribute="next", required=True, allow_none=True)


class StartedSchema(Schema):
    execution_id = fields.UUID(attribute="execution.id", required=True)
    created = fields.Boolean(
        required=True,
        metadata={"description": "False when it joined an open one, by its dedup_key or its group."},
    )
    dedup_key = fields.String(attribute="execution.dedup_key", required=True, allow_none=True)
    status = fields.String(
        attribute="execution.status", required=True, validate=validate.OneOf([*ExecutionStatus])
    )
    alert_count = fields.Integer(attribute="execution.alert_count", required=True)


class AllStartedSchema(Schema):
    results = fields.List(
        fields.Nested(StartedSchema),
        required=True,
        metadata={"description": "One for each alert, in their order."},
    )


class ExecutionPageSchema(PageSchema):
    items = fields.List(fields.Nested(ExecutionSchema), required=True)


class ShownAddress(fields.String):
    """The address as the team may see it."""

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = None) -> Any:
        return shown_address(obj.channel, obj.address)


class AttemptSchema(Schema):
    target = fields.Integer(attribute="target_number", required=True)
    attempt = fields.Integer(attribute="number", required=True)
    channel = fields.String(required=True)
    address = ShownAddress(required=True)
    user_id = fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "Whose way it is; null: the node names the address itself."},
    )
    status = fields.String(required=True, validate=validate.OneOf([*AttemptStatus]))
    due_at = Instant(required=True)
    transmit_at = Instant(required=True, allow_none=True)
    finished_at = Instant(required=True, allow_none=True)
    may_repeat = fields.Boolean(required=True)
    detail = fields.String(required=True, allow_none=True)


class InFlightSchema(AttemptSchema):
    step = fields.Integer(attribute="step_number", required=True)


class StepSchema(Schema):
    number = fields.Integer(required=True)
    round = fields.Integer(required=True)
    node_index = fields.Integer(required=True)
    node_id = fields.UUID(required=True)
    node_name = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf([*StepStatus, "planned"]))
    planned_at = Instant(required=True)
    due_at = Instant(required=True)
    fired_at = Instant(required=True, allow_none=True)
    lateness_ms = fields.Integer(required=True, allow_none=True)
    attempts = fields.List(fields.Nested(AttemptSchema), required=True)


class ExecutionAndMoreSchema(ExecutionSchema):
    """Of an object that holds an `execution` and tells more about it: one flat object of both."""

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if hasattr(obj, attr) else obj.execution, attr, default)


class ShownExecutionSchema(ExecutionAndMoreSchema):
    next_step = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The number of the step that comes next, if one does: what to escalate to."},
    )
    steps = fields.List(fields.Nested(StepSchema), required=True)


class TimelineEntrySchema(Schema):
    id = fields.Integer(required=True)
    at = Instant(required=True)
    event = fields.String(required=True)
    step = fields.Integer(attribute="step_number", required=True, allow_none=True)
    target = fields.Integer(attribute="target_number", required=True, allow_none=True)
    attempt = fields.Integer(attribute="attempt_number", required=True, allow_none=True)
    actor_id = fields.UUID(required=True, allow_none=True)
    detail = fields.Dict(required=True)


class TimelinePageSchema(Schema):
    items = fields.List(fields.Nested(TimelineEntrySchema), required=True)
    next_cursor = NumberCursor(attribute="next", required=True, allow_none=True)
