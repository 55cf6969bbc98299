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


class LoginInput(Schema):
    email = fields.String(required=True, validate=validate.Length(max=MAX_EMAIL))
    password = fields.String(required=True, load_only=True, validate=validate.Length(max=MAX_PASSWORD))


class UserSchema(Schema):
    id = fields.UUID(required=True)
    email = fields.String(required=True)
    name = fields.String(required=True)
    created_at = Instant(required=True)


class MembershipSchema(Schema):
    team_id = fields.UUID(required=True)
    team_name = fields.String(required=True)
    role = fields.String(required=True, validate=validate.OneOf([*Role]))


class MeSchema(UserSchema):
    memberships = fields.List(fields.Nested(MembershipSchema), required=True)


class AccessTokenSchema(Schema):
    access_token = fields.String(required=True)
    token_type = fields.String(required=True, metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds."})


class TokenPairSchema(AccessTokenSchema):
    refresh_token = fields.String(required=True)
