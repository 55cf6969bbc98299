"""What the doors take and answer. It describes what they take; `alertops.intake` is what checks it."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from alertops.intake.event import Action
from alertops.services.intake.receive_events import Outcome


class EnqueueSchema(Schema):
    """An event of PagerDuty's Events API v2."""

    routing_key = fields.String(required=True, metadata={"description": "The integration's key."})
    event_action = fields.String(validate=validate.OneOf([*Action]))
    dedup_key = fields.String()
    payload = fields.Dict()


class AcceptedSchema(Schema):
    status = fields.String(required=True)
    message = fields.String(required=True)
    dedup_key = fields.String(required=True)


class ChangeAcceptedSchema(Schema):
    status = fields.String(required=True)
    message = fields.String(required=True)


class RefusedSchema(Schema):
    status = fields.String(required=True)
    message = fields.String(required=True)
    errors = fields.List(fields.String(), required=True)


class ReceivedEventSchema(Schema):
    """Of an event that was received."""

    dedup_key = fields.String(attribute="event.dedup_key", required=True)
    outcome = fields.String(required=True, validate=validate.OneOf([*Outcome]))
    execution_ids = fields.List(fields.UUID(), required=True)


class ReceivedSchema(Schema):
    events = fields.List(fields.Nested(ReceivedEventSchema), required=True)
