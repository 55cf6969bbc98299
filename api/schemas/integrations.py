"""Integrations, their rules and mappings; what came of a dry run; and changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from alertops.intake.event import Action, Source
from alertops.intake.limits import MAX_RULES
from alertops.intake.mapping import MAX_EXPRESSION
from alertops.models.execution import SEVERITIES
from api.fields import Instant, Name, WholeNumber
from api.schemas.pages import PageSchema

MAX_FIELDS = 10
MAX_FIELD = 200
MAX_TEXTS = 50
MAX_TEXT = 255
MAX_KEEP_SECONDS = 7 * 24 * 3600

_KIND = validate.OneOf([*Source])
_FIELD_NAME = validate.Length(1, MAX_FIELD)
_TEXT = {"type": "string", "maxLength": MAX_TEXT}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_TEXTS}
_MATCHER = {
    "description": "A text that the field equals; or one of `{one_of: [...]}` and `{like: db-*}`.",
    "oneOf": [
        _TEXT,
        *(
            {"type": "object", "properties": {name: of}, "required": [name], "additionalProperties": False}
            for name, of in (("one_of", _TEXTS), ("like", _TEXT))
        ),
    ],
}


class Matcher(fields.Field[Any]):
    """What a rule asks of one field."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if _is_text(value):
            return value
        if isinstance(value, Mapping) and len(value) == 1:
            texts = value.get("one_of")
            if isinstance(texts, list) and 1 <= len(texts) <= MAX_TEXTS and all(map(_is_text, texts)):
                return dict(value)
            if _is_text(value.get("like")):
                return dict(value)
        raise ValidationError("Must be a text, {one_of: [texts]} or {like: text with * and ?}.")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


class RuleInput(Schema):
    when = fields.Dict(
        keys=fields.String(validate=_FIELD_NAME),
        values=Matcher(metadata=_MATCHER),
        required=True,
        validate=validate.Length(1, MAX_FIELDS),
        metadata={"description": "By field: severity, summary, dedup_key, labels.<name>, details.<path>."},
    )
    flow_id = fields.UUID(required=True)


def _expression(**more: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, MAX_EXPRESSION), **more)


class MappingInput(Schema):
    """A JMESPath expression for each part of an event; see docs/integrations.md."""

    events = _expression(
        metadata={"description": "A list in the document, each member of which is an event."}
    )
    summary = _expression()
    severity = _expression()
    dedup_key = _expression()
    action = _expression()
    labels = _expression()
    details = _expression()


class Secret(fields.String):
    """What Grafana signs its notifications with."""

    def __init__(self, **kwargs: Any) -> None:
        said = {"description": "Nothing is taken that is not signed with it; null is none. Never shown."}
        super().__init__(allow_none=True, validate=validate.Length(16, MAX_TEXT), metadata=said, **kwargs)


class IntegrationInput(Schema):
    kind = fields.String(required=True, validate=_KIND)
    name = Name(required=True)
    flow_id = fields.UUID(required=True, metadata={"description": "Where alerts go that no rule takes."})
    rules = fields.List(fields.Nested(RuleInput), load_default=list, validate=validate.Length(0, MAX_RULES))
    mapping = fields.Nested(MappingInput, load_default=None, allow_none=True)
    secret = Secret(load_default=None)


class IntegrationChange(Schema):
    """What is named changes; the rest stays. Rules are named all, or not at all."""

    name = Name()
    flow_id = fields.UUID()
    rules = fields.List(fields.Nested(RuleInput), validate=validate.Length(0, MAX_RULES))
    mapping = fields.Nested(MappingInput, allow_none=True)
    secret = Secret()


class KeyRotation(Schema):
    keep_old_seconds = WholeNumber(
        load_default=0,
        validate=validate.Range(0, MAX_KEEP_SECONDS),
        metadata={"description": "The key that is replaced stays good for so long."},
    )


class IntegrationSchema(Schema):
    id = fields.UUID(required=True)
    team_id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=_KIND)
    name = fields.String(required=True)
    flow_id = fields.UUID(required=True)
    rules = fields.List(fields.Nested(RuleInput), required=True)
    mapping = fields.Nested(MappingInput, required=True, allow_none=True)
    signed = fields.Boolean(required=True, metadata={"description": "Nothing is taken that is not signed."})
    prefix = fields.String(required=True, metadata={"description": "How the key begins."})
    created_by = fields.UUID(required=True)
    created_at = Instant(required=True)
    last_used_at = Instant(required=True, allow_none=True, metadata={"description": "To the minute."})
    old_until = Instant(
        required=True,
        allow_none=True,
        metadata={"description": "Until when the key before this one is good."},
    )
    revoked_at = Instant(required=True, allow_none=True)
    revoked_by = fields.UUID(required=True, allow_none=True)


class MadeIntegrationSchema(IntegrationSchema):
    """Of an object that holds an `integration` and its key: one flat object of both."""

    key = fields.String(required=True, metadata={"description": "Shown here, and never again."})

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if attr == "key" else obj.integration, attr, default)


class IntegrationPageSchema(PageSchema):
    items = fields.List(fields.Nested(IntegrationSchema), required=True)


_ANY_JSON = {"type": ["object", "array", "string", "number", "boolean"]}


class DryRunInput(Schema):
    sent = fields.Raw(
        required=True,
        allow_none=True,
        metadata={"description": "What the source would send: any JSON.", **_ANY_JSON},
    )


class DryEventSchema(Schema):
    """Of an object that holds an `event` and its `route`: one flat object of both."""

    action = fields.String(required=True, validate=validate.OneOf([*Action]))
    dedup_key = fields.String(required=True)
    summary = fields.String(required=True)
    severity = fields.String(required=True, validate=validate.OneOf(SEVERITIES))
    labels = fields.Dict(required=True)
    details = fields.Dict(required=True)
    occurred_at = Instant(required=True, allow_none=True)
    flow_id = fields.UUID(required=True)
    rule = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "By which rule it goes there, counted from 0; null is the default."},
    )

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        of = obj.route if attr in ("flow_id", "rule") else obj.event
        return super().get_attribute(of, attr, default)


class DryRunSchema(Schema):
    events = fields.List(fields.Nested(DryEventSchema), required=True)


class RecordedChangeSchema(Schema):
    id = fields.UUID(required=True)
    integration_id = fields.UUID(required=True)
    summary = fields.String(required=True)
    details = fields.Dict(required=True)
    occurred_at = Instant(required=True, allow_none=True)
    created_at = Instant(required=True)


class RecordedChangePageSchema(PageSchema):
    items = fields.List(fields.Nested(RecordedChangeSchema), required=True)
