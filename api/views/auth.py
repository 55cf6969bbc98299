"""Opening an account, and getting tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from flask import current_app

from alertops.services.accounts.log_in import log_in
from alertops.services.accounts.refresh_session import refresh_within_limits
from alertops.services.accounts.register_user import register_user
from alertops.services.accounts.reset_password import ask_to_reset, reset_password
from api.blueprints import PREFIX, Blueprint
from api.client import calling_client
from api.extensions import dispatcher, limits, session
from api.schemas.accounts import (
    LoginInput,
    NewAccountInput,
    NewAccountSchema,
    NewPasswordByTokenInput,
    ResetInput,
    TokenPairSchema,
)
from api.schemas.nothing import NothingInput
from api.tokens import presented_refresh_token, token_pair

blueprint = Blueprint("auth", __name__, url_prefix=f"{PREFIX}/auth", description="Accounts and tokens")

_NO_STORE = {"Cache-Control": "no-store"}


@blueprint.post("/register")
@blueprint.arguments(NewAccountInput)
@blueprint.response(202, NewAccountSchema)
@blueprint.doc(security=[])
def register(registration: dict[str, Any]) -> dict[str, Any]:
    """Open an account. The answer is the same when the address has one: the mail that is sent there tells."""
    register_user(session(), dispatcher(), limits(), **registration, client=calling_client())
    return registration


@blueprint.post("/login")
@blueprint.arguments(LoginInput)
@blueprint.response(200, TokenPairSchema)
@blueprint.doc(security=[])
def login(credentials: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Get tokens for an e-mail address and its password."""
    opened = log_in(session(), limits(), **credentials, client=calling_client(), lifetime=_lifetime())
    return token_pair(opened), 200, _NO_STORE


@blueprint.post("/refresh")
@blueprint.arguments(NothingInput, required=False)
@blueprint.response(200, TokenPairSchema)
@blueprint.doc(security=[{"refreshToken": []}])
def refresh(_: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Get new tokens; send the refresh token as the bearer token. It is spent by this."""
    token = presented_refresh_token()
    opened = refresh_within_limits(session(), limits(), token, calling_client(), _lifetime())
    return token_pair(opened), 200, _NO_STORE


@blueprint.post("/password-reset")
@blueprint.arguments(ResetInput)
@blueprint.response(202, NothingInput)
@blueprint.doc(security=[])
def ask_for_reset(account: dict[str, str]) -> dict[str, Any]:
    """Have a token mailed that lets me choose another password; the same answer when there is no account."""
    ask_to_reset(session(), dispatcher(), limits(), **account, client=calling_client())
    return {}


@blueprint.post("/password-reset/confirm")
@blueprint.arguments(NewPasswordByTokenInput)
@blueprint.response(204)
@blueprint.doc(security=[])
def confirm_reset(reset: dict[str, str]) -> None:
    """Choose another password, with the token; I am logged out everywhere by this."""
    reset_password(session(), **reset, client=calling_client())


def _lifetime() -> timedelta:
    return cast(timedelta, current_app.config["REFRESH_TOKEN_LIFETIME"])
