"""What people ask of executions, and what is answered."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from alertops.escalation.states import ExecutionStatus
from alertops.models.execution import MAX_DEDUP_KEY, SEVERITIES
from alertops.services.answer_many import MAX_AT_ONCE
from alertops.services.operate import Answered
from alertops.services.snooze import MAX_SNOOZE
from api.fields import Instant, WholeNumber
from api.schemas.executions import ExecutionAndMoreSchema, ExecutionSchema, InFlightSchema

MAX_TEXT = 2000

_text = validate.Length(1, MAX_TEXT)


class NoteInput(Schema):
    note = fields.String(validate=_text, metadata={"description": "What the timeline is to say beside it."})


class ReasonInput(Schema):
    reason = fields.String(validate=_text, metadata={"description": "What the timeline is to say beside it."})


class TextInput(Schema):
    text = fields.String(required=True, validate=_text)


class OneOfTwoInput(ReasonInput):
    """Exactly one of two members is given."""

    either: tuple[str, str]

    @validates_schema(skip_on_field_errors=False)
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        given = [name for name in self.either if name in data]
        if len(given) != 1:
            first, second = self.either
            raise ValidationError(f"Give one of {first} and {second}.", given[0] if given else first)


class SnoozeInput(OneOfTwoInput):
    either = ("until", "for_seconds")
    until = fields.AwareDateTime(format="iso")
    for_seconds = WholeNumber(validate=validate.Range(1, int(MAX_SNOOZE.total_seconds())))


class ReassignInput(OneOfTwoInput):
    either = ("flow_id", "user_id")
    flow_id = fields.UUID()
    user_id = fields.UUID()


class EscalateInput(ReasonInput):
    step = WholeNumber(
        required=True,
        validate=validate.Range(1, 1_000_000),
        metadata={"description": "The number of the step that comes next: `next_step` of the execution."},
    )


class ReplayInput(Schema):
    revision = fields.String(load_default="current", validate=validate.OneOf(["current", "original"]))


class RebaseInput(ReasonInput):
    apply = fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata={"description": "Without it, what would come of it is told, and nothing is changed."},
    )
    revision = WholeNumber(
        validate=validate.Range(1, 10_000),
        metadata={"description": "The revision that was told; needed with `apply`."},
    )

    @validates_schema
    def _told_first(self, data: dict[str, Any], **_: Any) -> None:
        if data["apply"] and "revision" not in data:
            raise ValidationError("Say which revision: the one that the dry run told.", "revision")


class BulkInput(NoteInput):
    ids = fields.List(fields.UUID, validate=validate.Length(1, MAX_AT_ONCE))
    flow_id = fields.UUID()
    status = fields.String(validate=validate.OneOf([*ExecutionStatus]))
    severity = fields.String(validate=validate.OneOf(SEVERITIES))
    dedup_key = fields.String(validate=validate.Length(1, MAX_DEDUP_KEY))
    created_before = fields.AwareDateTime(format="iso")

    @validates_schema
    def _which(self, data: dict[str, Any], **_: Any) -> None:
        if not data.keys() - {"note"}:
            raise ValidationError("Say which: give at least one condition.", "ids")


class AnsweredSchema(ExecutionAndMoreSchema):
    changed = fields.Boolean(required=True, metadata={"description": "False when it was so already."})
    in_flight = fields.List(
        fields.Nested(InFlightSchema),
        required=True,
        metadata={"description": "Sends that had begun before the answer; they are not called back."},
    )


class ManyAnsweredSchema(Schema):
    changed = fields.List(fields.UUID, required=True)
    unchanged = fields.List(
        fields.UUID, required=True, metadata={"description": "Others were faster with these."}
    )
    more = fields.Boolean(
        required=True, metadata={"description": "There are more than are answered at once: ask again."}
    )


class PlannedStepSchema(Schema):
    number = fields.Integer(required=True)
    round = fields.Integer(required=True)
    node_index = fields.Integer(required=True)
    node_id = fields.UUID(required=True)
    node_name = fields.String(required=True)
    due_at = Instant(required=True)


class RebasingSchema(Schema):
    """Both timelines of a dry run; or the execution, once it is done."""

    applied = fields.Function(
        lambda told: isinstance(told, Answered), required=True, metadata={"type": "boolean"}
    )
    changed = fields.Boolean()
    from_revision = fields.Integer()
    to_revision = fields.Integer()
    before = fields.List(fields.Nested(PlannedStepSchema))
    after = fields.List(fields.Nested(PlannedStepSchema))
    execution = fields.Nested(ExecutionSchema)
    in_flight = fields.List(fields.Nested(InFlightSchema))
