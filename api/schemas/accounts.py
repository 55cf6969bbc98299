"""Accounts, and the tokens that stand for them."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from alertops.models.team import Role
from api.fields import MAX_EMAIL, EmailAddress, Instant, Name

MIN_PASSWORD = 12
MAX_PASSWORD = 128  # hashing takes time with length, and is open to anybody


class RegistrationInput(Schema):
    email = EmailAddress(required=True)
    name = Name(required=True)
    password = fields.String(
        required=True, load_only=True, validate=validate.Length(MIN_PASSWORD, MAX_PASSWORD)
    )


class NewAccountInput(RegistrationInput):
    invitation_token = fields.String(
        load_only=True,
        validate=validate.Length(max=100),
        metadata={"description": "Of an invitation to this address: proves it, and joins the team."},
    )


class NewAccountSchema(Schema):
    """What was asked for. Whether the address had an account before is told to the address alone."""

    email = fields.String(required=True)
    name = fields.String(required=True)


class MailTokenInput(Schema):
    token = fields.String(required=True, load_only=True, validate=validate.Length(max=100))


class ResetInput(Schema):
    email = EmailAddress(required=True)


class NewPasswordByTokenInput(MailTokenInput):
    new_password = fields.String(
        required=True, load_only=True, validate=validate.Length(MIN_PASSWORD, MAX_PASSWORD)
    )


class NewAddressInput(Schema):
    email = EmailAddress(required=True)
    password = fields.String(required=True, load_only=True, validate=validate.Length(max=MAX_PASSWORD))


class NewNameInput(Schema):
    name = Name(required=True)


class NewPasswordInput(Schema):
    current_password = fields.String(
        required=True, load_only=True, validate=validate.Length(max=MAX_PASSWORD)
    )
    new_password = fields.String(
        required=True, load_only=True, validate=validate.Length(MIN_PASSWORD, MAX_PASSWORD)
    )


class PasswordInput(Schema):
    password = fields.String(required=True, load_only=True, validate=validate.Length(max=MAX_PASSWORD))


class LoginInput(Schema):
    email = fields.String(required=True, validate=validate.Length(max=MAX_EMAIL))
    password = fields.String(required=True, load_only=True, validate=validate.Length(max=MAX_PASSWORD))


class UserSchema(Schema):
    id = fields.UUID(required=True)
    email = fields.String(required=True)
    email_verified = fields.Boolean(
        required=True, metadata={"description": "Whether the account has proved that it reads mail there."}
    )
    name = fields.String(required=True)
    created_at = Instant(required=True)


class MembershipSchema(Schema):
    team_id = fields.UUID(required=True)
    team_name = fields.String(required=True)
    role = fields.String(required=True, validate=validate.OneOf([*Role]))


class MeSchema(UserSchema):
    memberships = fields.List(fields.Nested(MembershipSchema), required=True)


class TokenPairSchema(Schema):
    access_token = fields.String(required=True)
    token_type = fields.String(required=True, metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds."})
    refresh_token = fields.String(
        required=True, metadata={"description": "Good for one refresh, which answers the next one."}
    )


class SessionSchema(Schema):
    """A device where somebody is logged in."""

    id = fields.UUID(required=True)
    current = fields.Boolean(required=True, metadata={"description": "Whether this request belongs to it."})
    created_at = Instant(required=True)
    refreshed_at = Instant(required=True)
    expires_at = Instant(required=True, metadata={"description": "Unless it is refreshed before."})
    address = fields.String(required=True, allow_none=True)
    user_agent = fields.String(required=True, allow_none=True)


class SessionsSchema(Schema):
    items = fields.List(fields.Nested(SessionSchema), required=True)
