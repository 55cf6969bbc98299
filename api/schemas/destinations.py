"""Destinations."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from alertops.channels.apprise.services import MAX_URL
from api.fields import Instant, Name
from api.schemas.pages import PageSchema


class DestinationUrl(fields.String):
    """A URL as Apprise has them, with tokens in it: taken, and never shown again."""

    def __init__(self, **kwargs: Any) -> None:
        said = "As Apprise has them, such as slack://…, tgram://… or ntfys://…; never shown again."
        super().__init__(
            validate=validate.Length(1, MAX_URL),
            metadata={"description": said, "format": "password", "example": "ntfys://ntfy.sh/our-topic"},
            **kwargs,
        )


class DestinationInput(Schema):
    name = Name(required=True)
    url = DestinationUrl(required=True)


class DestinationChange(Schema):
    """What is named changes; the rest stays."""

    name = Name()
    url = DestinationUrl()


class DestinationSchema(Schema):
    id = fields.UUID(required=True)
    team_id = fields.UUID(required=True)
    name = fields.String(required=True)
    url = fields.String(
        attribute="shown",
        required=True,
        metadata={"description": "Its scheme; its host, too, where that is no secret; and an ellipsis."},
    )
    created_by = fields.UUID(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True, allow_none=True)


class DestinationPageSchema(PageSchema):
    items = fields.List(fields.Nested(DestinationSchema), required=True)
