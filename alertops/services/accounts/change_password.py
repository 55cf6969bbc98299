"""Somebody chooses another password. Whoever else knew the old one is logged out by it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from alertops.models import User
from alertops.services.accounts.end_sessions import end_all_sessions
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.passwords import hash_password
from alertops.services.accounts.prove_own import prove_own


def change_password(
    session: Session,
    limits: Limits,
    user_id: UUID,
    session_id: UUID,
    *,
    current_password: str,
    new_password: str,
) -> None:
    """Change it, end all sessions of the user but this one, and commit.

    A login that verified the old password and has not opened its session yet opens none: it waits for the
    user's row, which is locked here, and finds another password.
    """
    new_hash = hash_password(new_password)  # takes long on purpose, so before the lock
    prove_own(session, limits, user_id, current_password, pointer="/current_password")
    session.execute(update(User).where(User.id == user_id).values(password_hash=new_hash))
    end_all_sessions(session, user_id, but=session_id)
    session.commit()
