"""Somebody logs out: here, on a device that they lost, or everywhere.

The rows are deleted. Refresh tokens find nothing from then on, and neither do access tokens, which name
their session and are looked up at each request.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from alertops.models import LoginSession


def end_session(session: Session, user_id: UUID, session_id: UUID) -> bool:
    """End this one of the user's sessions and commit; False when the user has no such session (any more)."""
    ended = session.execute(
        delete(LoginSession)
        .where(LoginSession.id == session_id, LoginSession.user_id == user_id)
        .returning(LoginSession.id)
    ).one_or_none()
    session.commit()
    return ended is not None


def end_all_sessions(session: Session, user_id: UUID, *, but: UUID | None = None) -> None:
    """End the user's sessions, all or all but one, in the running transaction."""
    doomed = delete(LoginSession).where(LoginSession.user_id == user_id)
    session.execute(doomed if but is None else doomed.where(LoginSession.id != but))
