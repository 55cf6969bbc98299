"""Flows and their nodes. Limits and defaults are the escalation core's."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from alertops.escalation.flow import (
    GROUP_FIELD,
    MAX_ATTEMPTS,
    MAX_BACKOFF_FACTOR,
    MAX_BACKOFF_SECONDS,
    MAX_BUDGET_SECONDS,
    MAX_DELAY_SECONDS,
    MAX_GROUP_FIELD,
    MAX_GROUP_FIELDS,
    MAX_GROUP_WINDOW_SECONDS,
    MAX_NODES,
    MAX_REPEAT,
    MAX_TIMEOUT_SECONDS,
    MIN_ACK_TIMEOUT_SECONDS,
    MIN_GROUP_WINDOW_SECONDS,
    MIN_RESOLVE_AFTER_SECONDS,
    USUAL_GROUP_WINDOW_SECONDS,
    OnFailure,
    OnUnknown,
    RetryPolicy,
)
from api.fields import Decimal, Distinct, Instant, Name, OneOf, WholeNumber
from api.schemas.pages import PageQuery, PageSchema
from api.schemas.recipients import RECIPIENTS, RECIPIENTS_DESCRIBED

_usual = RetryPolicy()
_pause = validate.Range(1, MAX_BACKOFF_SECONDS)
_share = validate.Range(0, 1)
_budget = validate.Range(1, MAX_BUDGET_SECONDS)
_ack_timeout = validate.Range(MIN_ACK_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS)
_resolve_after = validate.Range(MIN_RESOLVE_AFTER_SECONDS, MAX_TIMEOUT_SECONDS)
_JITTER = {"description": "The share of a pause by which chance may shorten it."}
_BUDGET = {"description": "No attempt is made later than this after the first was due; null is no limit."}
_ACK_TIMEOUT = {"description": "Acknowledged, and not resolved for so long, it comes back; null is never."}
_group_window = validate.Range(MIN_GROUP_WINDOW_SECONDS, MAX_GROUP_WINDOW_SECONDS)
_GROUP_BY = {
    "description": "Alerts that say the same there join one execution: severity, summary, labels.<name>,"
    " details.<path>. None: each is on its own."
}
_GROUP_WINDOW = {"description": "For so long an execution takes in alerts of its group."}
_RESOLVE_AFTER = {"description": "Not over so long after its alert, it is resolved by itself; null is never."}


class RetrySchema(Schema):
    """How often, and after which pauses, one target is tried."""

    max_attempts = WholeNumber(load_default=_usual.max_attempts, validate=validate.Range(1, MAX_ATTEMPTS))
    backoff_seconds = WholeNumber(load_default=_usual.backoff_seconds, validate=_pause)
    backoff_factor = Decimal(
        load_default=_usual.backoff_factor, validate=validate.Range(1, MAX_BACKOFF_FACTOR)
    )
    max_backoff_seconds = WholeNumber(load_default=_usual.max_backoff_seconds, validate=_pause)
    jitter = Decimal(load_default=_usual.jitter, validate=_share, metadata=_JITTER)
    budget_seconds = WholeNumber(
        load_default=_usual.budget_seconds, allow_none=True, validate=_budget, metadata=_BUDGET
    )


class NodeInput(Schema):
    name = Name(required=True)
    recipient = OneOf(RECIPIENTS, required=True, metadata=RECIPIENTS_DESCRIBED)
    delay_seconds = WholeNumber(required=True, validate=validate.Range(0, MAX_DELAY_SECONDS))
    retry = fields.Nested(RetrySchema, load_default=lambda: vars(_usual).copy())
    on_failure = fields.String(load_default=OnFailure.ESCALATE.value, validate=validate.OneOf([*OnFailure]))
    on_unknown = fields.String(load_default=OnUnknown.RESEND.value, validate=validate.OneOf([*OnUnknown]))


class NewNodeInput(NodeInput):
    position = WholeNumber(
        validate=validate.Range(0, MAX_NODES - 1),
        metadata={"description": "Where it goes, counted from 0; without it, to the end."},
    )


class RetryChange(Schema):
    """What is named changes; the rest stays."""

    max_attempts = WholeNumber(validate=validate.Range(1, MAX_ATTEMPTS))
    backoff_seconds = WholeNumber(validate=_pause)
    backoff_factor = Decimal(validate=validate.Range(1, MAX_BACKOFF_FACTOR))
    max_backoff_seconds = WholeNumber(validate=_pause)
    jitter = Decimal(validate=_share, metadata=_JITTER)
    budget_seconds = WholeNumber(allow_none=True, validate=_budget, metadata=_BUDGET)


class NodeChange(Schema):
    """What is named changes; the rest stays. A recipient is named whole."""

    name = Name()
    recipient = OneOf(RECIPIENTS, metadata=RECIPIENTS_DESCRIBED)
    delay_seconds = WholeNumber(validate=validate.Range(0, MAX_DELAY_SECONDS))
    retry = fields.Nested(RetryChange)
    on_failure = fields.String(validate=validate.OneOf([*OnFailure]))
    on_unknown = fields.String(validate=validate.OneOf([*OnUnknown]))


class OrderInput(Schema):
    node_ids = fields.List(fields.UUID, required=True, validate=validate.Length(1, MAX_NODES))


class GroupBy(Distinct):
    """What alerts are grouped by."""

    def __init__(self, **kwargs: Any) -> None:
        known = "Must be severity, summary, labels.<name> or details.<path>."
        each = [validate.Length(1, MAX_GROUP_FIELD), validate.Regexp(GROUP_FIELD, error=known)]
        several = validate.Length(0, MAX_GROUP_FIELDS)
        super().__init__(fields.String(validate=each), validate=several, metadata=_GROUP_BY, **kwargs)


class FlowInput(Schema):
    name = Name(required=True)
    description = fields.String(load_default="", validate=validate.Length(max=2000))
    repeat = WholeNumber(load_default=0, validate=validate.Range(0, MAX_REPEAT))
    ack_timeout_seconds = WholeNumber(
        load_default=None, allow_none=True, validate=_ack_timeout, metadata=_ACK_TIMEOUT
    )
    resolve_after_seconds = WholeNumber(
        load_default=None, allow_none=True, validate=_resolve_after, metadata=_RESOLVE_AFTER
    )
    group_by = GroupBy(load_default=list)
    group_window_seconds = WholeNumber(
        load_default=USUAL_GROUP_WINDOW_SECONDS, validate=_group_window, metadata=_GROUP_WINDOW
    )
    nodes = fields.List(fields.Nested(NodeInput), required=True, validate=validate.Length(1, MAX_NODES))


class FlowChange(Schema):
    """What is named changes; the rest stays. Nodes have routes of their own."""

    name = Name()
    description = fields.String(validate=validate.Length(max=2000))
    repeat = WholeNumber(validate=validate.Range(0, MAX_REPEAT))
    ack_timeout_seconds = WholeNumber(allow_none=True, validate=_ack_timeout, metadata=_ACK_TIMEOUT)
    resolve_after_seconds = WholeNumber(allow_none=True, validate=_resolve_after, metadata=_RESOLVE_AFTER)
    group_by = GroupBy()
    group_window_seconds = WholeNumber(validate=_group_window, metadata=_GROUP_WINDOW)


class FlowQuery(PageQuery):
    archived = fields.Boolean(
        load_default=False,
        truthy={"true"},
        falsy={"false"},
        metadata={"description": "Those that were archived, instead of those in use."},
    )


class RetryColumns(fields.Nested):
    """A retry policy that a node's row keeps in columns of its own."""

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = None) -> Any:
        return obj


class NodeSchema(NodeInput):
    id = fields.UUID(required=True)
    retry = RetryColumns(RetrySchema, required=True)


class FlowSchema(Schema):
    id = fields.UUID(required=True)
    team_id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    repeat = fields.Integer(required=True)
    ack_timeout_seconds = fields.Integer(required=True, allow_none=True)
    resolve_after_seconds = fields.Integer(required=True, allow_none=True)
    group_by = fields.List(fields.String(), required=True, metadata=_GROUP_BY)
    group_window_seconds = fields.Integer(required=True, metadata=_GROUP_WINDOW)
    revision = fields.Integer(attribute="revision_number", required=True)
    nodes = fields.List(fields.Nested(NodeSchema), required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)
    archived_at = Instant(required=True, allow_none=True)


class WarningSchema(Schema):
    """What is allowed, and hardly meant, and where."""

    pointer = fields.String(required=True)
    code = fields.String(required=True)
    detail = fields.String(required=True)


class LintedFlowSchema(FlowSchema):
    """A flow, and what is odd about it today."""

    warnings = fields.List(fields.Nested(WarningSchema), required=True)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if hasattr(obj, attr) else obj.flow, attr, default)


class FlowPageSchema(PageSchema):
    items = fields.List(fields.Nested(FlowSchema), required=True)
