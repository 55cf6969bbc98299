"""Opening an account, and getting tokens."""

from __future__ import annotations

from typing import Any

from flask_jwt_extended import verify_jwt_in_request

from alertops.models import User
from alertops.services.authenticate import authenticate
from alertops.services.register_user import register_user
from api.blueprints import PREFIX, Blueprint
from api.extensions import session
from api.schemas.accounts import (
    AccessTokenSchema,
    LoginInput,
    RegistrationInput,
    TokenPairSchema,
    UserSchema,
)
from api.schemas.nothing import NothingInput
from api.tokens import access_token, caller, token_pair

blueprint = Blueprint("auth", __name__, url_prefix=f"{PREFIX}/auth", description="Accounts and tokens")

_NO_STORE = {"Cache-Control": "no-store"}


@blueprint.post("/register")
@blueprint.arguments(RegistrationInput)
@blueprint.response(201, UserSchema)
@blueprint.doc(security=[])
def register(registration: dict[str, Any]) -> User:
    """Open an account."""
    return register_user(session(), **registration)


@blueprint.post("/login")
@blueprint.arguments(LoginInput)
@blueprint.response(200, TokenPairSchema)
@blueprint.doc(security=[])
def login(credentials: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Get tokens for an e-mail address and its password."""
    return token_pair(authenticate(session(), **credentials)), 200, _NO_STORE


@blueprint.post("/refresh")
@blueprint.arguments(NothingInput, required=False)
@blueprint.response(200, AccessTokenSchema)
@blueprint.doc(security=[{"refreshToken": []}])
def refresh(_: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Get a new access token; send the refresh token as the bearer token."""
    verify_jwt_in_request(refresh=True)
    return access_token(caller().id), 200, _NO_STORE
