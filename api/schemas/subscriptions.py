"""Subscriptions."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from alertops.models.timeline import EVENTS
from api.fields import Distinct, Flag, Instant, Name, WebhookUrl
from api.schemas.pages import PageSchema

_EVENTS = {"description": "The events that it is told of, as timelines name them; null is all."}


class EventNames(Distinct):
    """Names of events, none of them twice; null for all that there are, and will be."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            fields.String(validate=validate.OneOf(EVENTS)),
            allow_none=True,
            validate=validate.Length(1, len(EVENTS)),
            metadata=_EVENTS,
            **kwargs,
        )


class SubscriptionInput(Schema):
    name = Name(required=True)
    url = WebhookUrl(required=True)
    events = EventNames(load_default=None)
    enabled = Flag(load_default=True)


class SubscriptionChange(Schema):
    """What is named changes; the rest stays. Events are named all, or not at all."""

    name = Name()
    url = WebhookUrl()
    events = EventNames()
    enabled = Flag()


class SubscriptionSchema(Schema):
    id = fields.UUID(required=True)
    team_id = fields.UUID(required=True)
    name = fields.String(required=True)
    url = fields.String(required=True)
    events = fields.List(fields.String(), required=True, allow_none=True, metadata=_EVENTS)
    enabled = fields.Boolean(required=True)
    disabled_because = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Why it is disabled, when its receiver said that it is gone."},
    )
    created_by = fields.UUID(required=True)
    created_at = Instant(required=True)
    last_success_at = Instant(required=True, allow_none=True, metadata={"description": "To the second."})
    last_failure_at = Instant(required=True, allow_none=True)
    last_failure = fields.String(
        required=True, allow_none=True, metadata={"description": "What went wrong then."}
    )
    given_up = fields.Integer(
        required=True, metadata={"description": "How many events it was never told, as it failed too long."}
    )


class SubscriptionPageSchema(PageSchema):
    items = fields.List(fields.Nested(SubscriptionSchema), required=True)
