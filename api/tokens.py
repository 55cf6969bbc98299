"""Tokens: who is calling, and what they get when they log in."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from flask import Flask, Response, current_app
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token, get_current_user

from alertops.models import User
from api.errors import BEARER
from api.extensions import session
from api.problems import problem

_jwt = JWTManager()


def init_tokens(app: Flask) -> None:
    """Make the application understand bearer tokens."""
    _jwt.init_app(app)


def caller() -> User:
    """The user whose token came with this request."""
    return cast(User, get_current_user())


def access_token(user_id: UUID) -> dict[str, Any]:
    """A fresh access token, as OAuth 2 names its parts (RFC 6749, 5.1)."""
    return {
        "access_token": create_access_token(str(user_id)),
        "token_type": "Bearer",
        "expires_in": int(current_app.config["JWT_ACCESS_TOKEN_EXPIRES"].total_seconds()),
    }


def token_pair(user_id: UUID) -> dict[str, Any]:
    """An access token, and the refresh token that gets the next ones."""
    return {**access_token(user_id), "refresh_token": create_refresh_token(str(user_id))}


@_jwt.user_lookup_loader
def _find_caller(_header: dict[str, Any], claims: dict[str, Any]) -> User | None:
    # Looked up on each request: a token must not outlive its account.
    return session().get(User, UUID(claims["sub"]))


@_jwt.unauthorized_loader
def _missing(_reason: str) -> Response:
    return problem(401, "This needs a token: Authorization: Bearer <token>.", headers=BEARER)


@_jwt.invalid_token_loader
@_jwt.token_verification_failed_loader
@_jwt.user_lookup_error_loader
def _invalid(*_: Any) -> Response:
    return problem(401, "The token is not valid here.", headers=_INVALID_TOKEN)


@_jwt.expired_token_loader
def _expired(*_: Any) -> Response:
    return problem(401, "The token has expired.", headers=_INVALID_TOKEN)


_INVALID_TOKEN = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
