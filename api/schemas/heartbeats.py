"""Heartbeats."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from alertops.models.execution import SEVERITIES
from alertops.models.heartbeat import HeartbeatStatus
from alertops.services.heartbeats.make_heartbeat import (
    MAX_EVERY_SECONDS,
    MAX_GRACE_SECONDS,
    MIN_EVERY_SECONDS,
    MIN_GRACE_SECONDS,
)
from api.fields import Instant, Name, WholeNumber
from api.schemas.pages import PageSchema

DEFAULT_GRACE_SECONDS = 300

_STATUS = validate.OneOf([*HeartbeatStatus])


class _Every(WholeNumber):
    def __init__(self, **kwargs: Any) -> None:
        said = {"description": "The job pings at least so often."}
        bounds = validate.Range(MIN_EVERY_SECONDS, MAX_EVERY_SECONDS)
        super().__init__(validate=bounds, metadata=said, **kwargs)


class _Grace(WholeNumber):
    def __init__(self, **kwargs: Any) -> None:
        said = {"description": "It may be so much later, as jobs take longer at times."}
        bounds = validate.Range(MIN_GRACE_SECONDS, MAX_GRACE_SECONDS)
        super().__init__(validate=bounds, metadata=said, **kwargs)


class _Severity(fields.String):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf(SEVERITIES), **kwargs)


class _ResolveOnPing(fields.Boolean):
    """True or false, and nothing that merely sounds like it."""

    def __init__(self, **kwargs: Any) -> None:
        said = {"description": "A ping resolves what the silence before it has started."}
        super().__init__(truthy={True}, falsy={False}, metadata=said, **kwargs)


class HeartbeatInput(Schema):
    name = Name(required=True)
    flow_id = fields.UUID(required=True, metadata={"description": "What starts when the job is silent."})
    every_seconds = _Every(required=True)
    grace_seconds = _Grace(load_default=DEFAULT_GRACE_SECONDS)
    severity = _Severity(load_default="critical")
    resolve_on_ping = _ResolveOnPing(load_default=True)


class HeartbeatChange(Schema):
    """What is named changes; the rest stays."""

    name = Name()
    flow_id = fields.UUID()
    every_seconds = _Every()
    grace_seconds = _Grace()
    severity = _Severity()
    resolve_on_ping = _ResolveOnPing()
    paused = fields.Boolean(
        truthy={True},
        falsy={False},
        metadata={"description": "While it is paused, nobody is told that the job is silent."},
    )


class HeartbeatSchema(Schema):
    id = fields.UUID(required=True)
    team_id = fields.UUID(required=True)
    flow_id = fields.UUID(required=True)
    name = fields.String(required=True)
    every_seconds = fields.Integer(required=True)
    grace_seconds = fields.Integer(required=True)
    severity = _Severity(required=True)
    resolve_on_ping = fields.Boolean(required=True)
    status = fields.String(required=True, validate=_STATUS)
    last_ping_at = Instant(required=True, allow_none=True)
    due_at = Instant(
        required=True,
        allow_none=True,
        metadata={"description": "Without a ping before, the job is missing from then on."},
    )
    missed_at = Instant(required=True, allow_none=True)
    execution_id = fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "What the silence has started, until the job pings."},
    )
    prefix = fields.String(required=True, metadata={"description": "How the key begins."})
    old_until = Instant(
        required=True,
        allow_none=True,
        metadata={"description": "Until when the key before this one is good."},
    )
    created_by = fields.UUID(required=True)
    created_at = Instant(required=True)


class MadeHeartbeatSchema(HeartbeatSchema):
    """Of an object that holds a `heartbeat` and its key: one flat object of both."""

    key = fields.String(required=True, metadata={"description": "Shown here, and never again."})
    ping_url = fields.String(
        required=True, metadata={"description": "What the job asks for; it has the key."}
    )

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        own = attr in ("key", "ping_url")
        return super().get_attribute(obj if own else obj.heartbeat, attr, default)


class HeartbeatPageSchema(PageSchema):
    items = fields.List(fields.Nested(HeartbeatSchema), required=True)


class PingedSchema(Schema):
    status = fields.String(required=True, validate=_STATUS)
