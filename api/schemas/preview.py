"""What would come of an alert: the question, with what else happens, and the timeline that answers it."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from alertops.escalation.flow import MAX_NODES
from alertops.escalation.states import ExecutionStatus
from alertops.models.execution import SEVERITIES
from alertops.models.maintenance import MaintenanceMode
from api.fields import Instant
from api.schemas.flows import FlowInput, WarningSchema


class NodeNumbers(fields.String):
    """Which nodes: their numbers, counted from 1, with commas between them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not re.fullmatch(r"[0-9]{1,3}(,[0-9]{1,3}){0,99}", text):
            raise ValidationError("Must be numbers of nodes, counted from 1, such as 1,3.")
        numbers = {int(number) for number in text.split(",")}
        if not all(1 <= number <= MAX_NODES for number in numbers):
            raise ValidationError(f"The nodes are numbered from 1, and a flow has {MAX_NODES} at most.")
        return numbers


class _WhatIf(Schema):
    start = fields.AwareDateTime(
        format="iso", metadata={"description": "When the alert comes; now, if not said."}
    )
    acknowledge_at = fields.AwareDateTime(format="iso", metadata={"description": "Somebody answers then."})
    fail = NodeNumbers(metadata={"description": "Whom these nodes tell cannot be reached, such as 1,3."})
    # A schema has an `unknown` of its own.
    unanswered = NodeNumbers(
        data_key="unknown", metadata={"description": "Whether these nodes' messages arrive, nobody can say."}
    )
    severity = fields.String(load_default="critical", validate=validate.OneOf(SEVERITIES))


class PreviewQuery(_WhatIf):
    pass


class UnsavedPreviewInput(FlowInput, _WhatIf):
    """A flow that is not saved, and the same questions."""


class PreviewEntrySchema(Schema):
    at = Instant(required=True)
    offset_seconds = fields.Float(required=True)
    event = fields.String(required=True)
    step_number = fields.Integer(attribute="step", required=True, allow_none=True)
    target_number = fields.Integer(attribute="target", required=True, allow_none=True)
    attempt_number = fields.Integer(attribute="attempt", required=True, allow_none=True)
    node_name = fields.String(required=True, allow_none=True)
    detail = fields.Dict(required=True)


class MetMaintenanceSchema(Schema):
    """The maintenance window that an alert would meet."""

    window_id = fields.UUID(attribute="window.id", required=True)
    name = fields.String(attribute="window.name", required=True)
    mode = fields.String(attribute="window.mode", required=True, validate=validate.OneOf([*MaintenanceMode]))
    until = Instant(
        required=True,
        metadata={"description": "Until when it is held; of one that drops, when the alert comes."},
    )


class PreviewSchema(Schema):
    start = Instant(required=True)
    revision_number = fields.Integer(required=True, allow_none=True)
    status = fields.String(required=True, validate=validate.OneOf([*ExecutionStatus]))
    ends_at = Instant(required=True)
    truncated = fields.Boolean(required=True, metadata={"description": "More happens than is told at once."})
    maintenance = fields.Nested(
        MetMaintenanceSchema,
        required=True,
        allow_none=True,
        metadata={
            "description": "What holds or drops an alert that comes at the start, as windows are declared "
            "today; null: nothing does. The timeline is what happens without it."
        },
    )
    timeline = fields.List(fields.Nested(PreviewEntrySchema), required=True)
    warnings = fields.List(fields.Nested(WarningSchema), required=True)
