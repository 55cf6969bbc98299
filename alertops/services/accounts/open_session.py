"""Somebody who has proved who they are is logged in, on one device, from now on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from alertops.models import LoginSession
from alertops.services.accounts.refresh_token import RefreshToken

# Nobody has more devices; a script that logs in each time it runs is made to forget its oldest logins.
MAX_SESSIONS = 100

# Each login takes away more rows that are over than it adds: the table stays as large as what it is for.
_SWEPT = 10

_NEWEST_FIRST = (LoginSession.refreshed_at.desc(), LoginSession.id)


@dataclass(frozen=True)
class Client:
    """Where a request came from: an IP address, and what the program calls itself, as far as is known."""

    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True)
class OpenSession:
    """A session, with the refresh token that is good for it now. The token is nowhere else."""

    id: UUID
    user_id: UUID
    refresh_token: RefreshToken


def open_session(session: Session, user_id: UUID, client: Client, lifetime: timedelta) -> OpenSession:
    """Open a session that ends after `lifetime` without a refresh, and commit."""
    token = RefreshToken.new()
    opened = LoginSession(
        user_id=user_id,
        family_hash=token.family_hash,
        current_hash=token.secret_hash,
        expires_at=func.clock_timestamp() + lifetime,
        address=client.address,
        user_agent=client.user_agent,
    )
    session.add(opened)
    session.flush()
    _sweep(session, user_id)
    session.commit()
    return OpenSession(opened.id, user_id, token)


def _sweep(session: Session, user_id: UUID) -> None:
    """Delete some sessions that are over, and the user's oldest beyond the limit.

    What another transaction is at work on is left out, so that nobody waits for a sweep.
    """
    over = (
        select(LoginSession.id)
        .where(LoginSession.expires_at <= func.clock_timestamp())
        .order_by(LoginSession.expires_at)
        .limit(_SWEPT)
    )
    excess = (
        select(LoginSession.id)
        .where(LoginSession.user_id == user_id)
        .order_by(*_NEWEST_FIRST)
        .offset(MAX_SESSIONS)
        .limit(_SWEPT)
    )
    for doomed in (over, excess):
        chosen = doomed.with_for_update(skip_locked=True)
        session.execute(delete(LoginSession).where(LoginSession.id.in_(chosen.scalar_subquery())))


def sessions_of(session: Session, user_id: UUID) -> list[LoginSession]:
    """The user's sessions, the one that was used last first."""
    return list(
        session.scalars(
            select(LoginSession)
            .where(LoginSession.user_id == user_id, LoginSession.expires_at > func.clock_timestamp())
            .order_by(*_NEWEST_FIRST)
            .limit(MAX_SESSIONS)
        )
    )
