"""Somebody says who they are, and proves it with a password."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from alertops.errors import AuthenticationError
from alertops.models import User
from alertops.services.passwords import hash_password, needs_rehash, password_matches


def authenticate(session: Session, *, email: str, password: str) -> UUID:
    """The id of the user with this address (in any case) and password; `AuthenticationError` else.

    An unknown address and a wrong password are the same error, after about the same time.
    """
    found = session.execute(
        select(User.id, User.password_hash).where(func.lower(User.email) == func.lower(email))
    ).one_or_none()
    # Hashing takes long on purpose; the connection is of more use to others meanwhile.
    session.rollback()
    user_id, stored = found or (None, None)
    matches = password_matches(stored, password)
    if user_id is None or stored is None or not matches:
        raise AuthenticationError("The e-mail address or the password is wrong.")
    if needs_rehash(stored):
        _rehash(session, user_id, stored, password)
    return user_id


def _rehash(session: Session, user_id: UUID, old_hash: str, password: str) -> None:
    """Store the password under today's parameters, unless it was changed in the meantime."""
    session.execute(
        update(User)
        .where(User.id == user_id, User.password_hash == old_hash)
        .values(password_hash=hash_password(password))
    )
    session.commit()
