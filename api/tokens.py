"""Tokens: who is calling, and what they get when they log in."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from flask import Flask, Response, current_app, request
from flask_jwt_extended import JWTManager, create_access_token, get_current_user, get_jwt
from jwt import InvalidTokenError
from sqlalchemy import func, select

from alertops.errors import AuthenticationError
from alertops.models import LoginSession, User
from alertops.services.accounts.open_session import OpenSession
from alertops.services.accounts.refresh_token import RefreshToken
from alertops.signing_keys import KeyRing
from api.errors import BEARER
from api.extensions import session
from api.problems import problem

# The kind of token in its header (RFC 9068): nothing else that these keys may sign one day passes for it.
_KIND = "at+jwt"

_jwt = JWTManager()


def init_tokens(app: Flask, keys: KeyRing) -> None:
    """Make the application sign and understand bearer tokens."""
    app.extensions["alertops.signing_keys"] = keys
    _jwt.init_app(app)


def caller() -> User:
    """The user whose token came with this request."""
    return cast(User, get_current_user())


def caller_if_any() -> User | None:
    """The user whose token came with this request, if one came; on routes that do without."""
    return cast("User | None", get_current_user() if get_jwt() else None)


def current_session_id() -> UUID:
    """The login session that the caller's token belongs to."""
    return UUID(get_jwt()["sid"])


def token_pair(opened: OpenSession) -> dict[str, Any]:
    """An access token, as OAuth 2 names its parts (RFC 6749, 5.1), and the token that gets the next ones."""
    claims = {"sid": str(opened.id)}
    return {
        "access_token": create_access_token(str(opened.user_id), additional_claims=claims),
        "token_type": "Bearer",  # nosec B105  a word, not a password
        "expires_in": int(current_app.config["JWT_ACCESS_TOKEN_EXPIRES"].total_seconds()),
        "refresh_token": opened.refresh_token.as_text(),
    }


def presented_refresh_token() -> RefreshToken:
    """The refresh token that came with this request, as its bearer token; `AuthenticationError` else."""
    given = request.authorization
    token = RefreshToken.parse(given.token or "") if given and given.type == "bearer" else None
    if token is None:
        raise AuthenticationError("This needs a refresh token: Authorization: Bearer <refresh token>.")
    return token


def _keys() -> KeyRing:
    return cast(KeyRing, current_app.extensions["alertops.signing_keys"])


@_jwt.encode_key_loader
def _key_to_sign_with(_identity: str) -> Ed25519PrivateKey:
    return _keys().signing_key


@_jwt.additional_headers_loader
def _name_of_the_key(_identity: str) -> dict[str, str]:
    return {"kid": _keys().signing_id, "typ": _KIND}


@_jwt.decode_key_loader
def _key_to_verify_with(header: dict[str, Any], _claims: dict[str, Any]) -> Ed25519PublicKey:
    # The header is not verified yet: it only chooses among our own keys, and never the algorithm.
    key = _keys().verifying.get(str(header.get("kid")))
    if key is None or header.get("typ") != _KIND:
        raise InvalidTokenError("not signed by a key of ours, or not as an access token")
    return key


@_jwt.token_verification_loader
def _is_complete(_header: dict[str, Any], claims: dict[str, Any]) -> bool:
    """Whether the claims are those of a token as we make them; what is there, PyJWT has checked."""
    # flask-jwt-extended takes every type but `refresh` for an access token.
    return (
        claims["type"] == "access"
        and "exp" in claims
        and all(_is_uuid(claims.get(name)) for name in ("sub", "jti", "sid"))
    )


def _is_uuid(value: Any) -> bool:
    try:
        UUID(value)
    except (ValueError, TypeError, AttributeError):
        return False
    return True


@_jwt.user_lookup_loader
def _find_caller(_header: dict[str, Any], claims: dict[str, Any]) -> User | None:
    # Looked up on each request, in one query: a token must not outlive its account or its session.
    return (
        session()
        .scalars(
            select(User)
            .join(LoginSession, LoginSession.user_id == User.id)
            .where(
                User.id == UUID(claims["sub"]),
                LoginSession.id == UUID(claims["sid"]),
                LoginSession.expires_at > func.clock_timestamp(),
            )
        )
        .one_or_none()
    )


@_jwt.unauthorized_loader
def _missing(_reason: str) -> Response:
    return problem(401, "This needs a token: Authorization: Bearer <token>.", headers=BEARER)


@_jwt.invalid_token_loader
@_jwt.token_verification_failed_loader
@_jwt.user_lookup_error_loader
def _invalid(*_: Any) -> Response:
    return invalid_token()


@_jwt.expired_token_loader
def _expired(*_: Any) -> Response:
    return problem(401, "The token has expired.", headers=_INVALID_TOKEN)


_INVALID_TOKEN = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


def invalid_token() -> Response:
    """The answer to a token, of whatever kind, that opens nothing."""
    return problem(401, "The token is not valid here.", headers=_INVALID_TOKEN)
