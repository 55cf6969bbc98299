"""Invitations: as the team sees them, and as whom they are for."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from alertops.escalation.states import AttemptStatus
from alertops.models.invitation import InvitationStatus
from alertops.models.team import Role
from api.fields import EmailAddress, Instant
from api.schemas.pages import PageQuery, PageSchema

_ROLES = [role for role in Role if role is not Role.OWNER]


class InvitationInput(Schema):
    email = EmailAddress(required=True)
    role = fields.String(required=True, validate=validate.OneOf(_ROLES))


class InvitationChange(Schema):
    role = fields.String(required=True, validate=validate.OneOf(_ROLES))


class InvitationQuery(PageQuery):
    status = fields.String(validate=validate.OneOf([*InvitationStatus]))


class LetterSchema(Schema):
    """How the newest mail about it fared."""

    status = fields.String(required=True, validate=validate.OneOf([*AttemptStatus]))
    detail = fields.String(required=True, allow_none=True)
    created_at = Instant(required=True)


class InvitationSchema(Schema):
    """As the team sees it. A pending one whose `expires_at` is over can be sent again."""

    id = fields.UUID(attribute="invitation.id", required=True)
    email = fields.String(attribute="invitation.email", required=True)
    role = fields.String(attribute="invitation.role", required=True, validate=validate.OneOf(_ROLES))
    status = fields.String(
        attribute="invitation.status", required=True, validate=validate.OneOf([*InvitationStatus])
    )
    invited_by = fields.UUID(attribute="invitation.invited_by", required=True, allow_none=True)
    created_at = Instant(attribute="invitation.created_at", required=True)
    expires_at = Instant(attribute="invitation.expires_at", required=True)
    answered_at = Instant(attribute="invitation.answered_at", required=True, allow_none=True)
    ended_at = Instant(attribute="invitation.ended_at", required=True, allow_none=True)
    letter = fields.Nested(LetterSchema, required=True, allow_none=True)


class InvitationPageSchema(PageSchema):
    items = fields.List(fields.Nested(InvitationSchema), required=True)


class ReceivedInvitationSchema(Schema):
    """As whom it is for sees it."""

    id = fields.UUID(attribute="invitation.id", required=True)
    team_name = fields.String(required=True)
    inviter_name = fields.String(required=True, allow_none=True)
    email = fields.String(attribute="invitation.email", required=True)
    role = fields.String(attribute="invitation.role", required=True, validate=validate.OneOf(_ROLES))
    status = fields.String(
        attribute="invitation.status",
        required=True,
        validate=validate.OneOf([*InvitationStatus]),
        metadata={
            "description": "`accepted`: remembered, and put into effect when an account proves the address."
        },
    )
    created_at = Instant(attribute="invitation.created_at", required=True)
    expires_at = Instant(attribute="invitation.expires_at", required=True)


class ReceivedInvitationsSchema(Schema):
    items = fields.List(fields.Nested(ReceivedInvitationSchema), required=True)
