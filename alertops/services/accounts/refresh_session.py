"""A refresh token is spent, and its successor is given out.

    current ── presented ──▶ spent, its successor is current          one guarded UPDATE
    spent, successor unused, for some seconds ──▶ the same successor   an honest client that heard no answer
    spent, else ──▶ the session ends                                   two hold tokens that one was given

Two requests with the same token: the row lock of the UPDATE lets one through; the other, when it has waited,
finds that the token is no longer current, and is given the same successor. There is never a second one.
A logout deletes the row: whoever comes second of a logout and a refresh finds nothing, or deletes what the
first made.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from alertops.errors import AuthenticationError
from alertops.models import LoginSession
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.open_session import Client, OpenSession
from alertops.services.accounts.refresh_token import RefreshToken, new_nonce
from alertops.services.accounts.throttle import give_back, take

# Long enough for a client that waits ten seconds for an answer to try twice more.
GRACE = timedelta(seconds=30)

log = structlog.get_logger(__name__)


def refresh_within_limits(
    session: Session, limits: Limits, token: RefreshToken, client: Client, lifetime: timedelta
) -> OpenSession:
    """`refresh_session`, or `ThrottledError` when it was asked for too often.

    A good refresh does not count against the client's address, which many may share.
    """
    of_address, of_session = limits.refresh(token, client.address)
    take(session, [of_address, of_session])
    opened = refresh_session(session, token, client, lifetime)
    give_back(session, [of_address])
    session.commit()
    return opened


def refresh_session(
    session: Session, token: RefreshToken, client: Client, lifetime: timedelta
) -> OpenSession:
    """Spend the token and commit; `AuthenticationError` when it is not good, which may end its session."""
    nonce = new_nonce()
    successor = token.successor(nonce)
    spent = session.execute(
        update(LoginSession)
        .where(
            LoginSession.family_hash == token.family_hash,
            LoginSession.current_hash == token.secret_hash,
            _lives(),
        )
        .values(
            previous_hash=token.secret_hash,
            successor_nonce=nonce,
            current_hash=successor.secret_hash,
            refreshed_at=func.clock_timestamp(),
            expires_at=func.clock_timestamp() + lifetime,
            address=client.address,
            user_agent=client.user_agent,
        )
        .returning(LoginSession.id, LoginSession.user_id)
    ).one_or_none()
    if spent is None:
        return _again(session, token)
    session.commit()
    return OpenSession(spent.id, spent.user_id, successor)


def _again(session: Session, token: RefreshToken) -> OpenSession:
    """The answer to a token that is not current: the same successor, or none, and the session's end."""
    found = session.scalars(
        select(LoginSession)
        .where(LoginSession.family_hash == token.family_hash, _lives())
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        session.rollback()
        raise AuthenticationError("The refresh token is not valid, or its session has ended.")
    if found.successor_nonce is not None and _may_repeat(session, found, token):
        # Made before the lock is given up: the row may be gone a moment later.
        repeated = OpenSession(found.id, found.user_id, token.successor(found.successor_nonce))
        session.rollback()
        return repeated
    log.warning("refresh_token_reused", user=str(found.user_id), login_session=str(found.id))
    session.delete(found)
    session.commit()
    raise AuthenticationError("The refresh token was used before; its session has been ended.")


def _may_repeat(session: Session, found: LoginSession, token: RefreshToken) -> bool:
    """Whether this is the token that was spent last, a moment ago, and its successor is still unused."""
    recent = LoginSession.refreshed_at > func.clock_timestamp() - GRACE
    return found.previous_hash == token.secret_hash and bool(
        session.scalar(select(recent).where(LoginSession.id == found.id))
    )


def _lives() -> ColumnElement[bool]:
    return LoginSession.expires_at > func.clock_timestamp()
