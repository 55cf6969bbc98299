"""Somebody says who they are, and proves it with a password."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from alertops.errors import AuthenticationError
from alertops.models import User
from alertops.services.passwords import hash_password, needs_rehash, password_matches

# As often a password may be changed, or its hash renewed, between a look at it and the lock.
_TRIES = 3


def authenticate(session: Session, *, email: str, password: str) -> UUID:
    """The id of the user with this address (in any case) and password; `AuthenticationError` else.

    An unknown address and a wrong password are the same error, after about the same time. What the caller
    does next in the running transaction is done while the password is still this one: the user's row
    is locked against its change.
    """
    return prove(session, func.lower(User.email) == func.lower(email), password)


def prove(session: Session, who: ColumnElement[bool], password: str) -> UUID:
    """`authenticate`, for a user who is found in another way."""
    for _ in range(_TRIES):
        found = session.execute(select(User.id, User.password_hash).where(who)).one_or_none()
        # Hashing takes long on purpose; the connection is of more use to others meanwhile.
        session.rollback()
        user_id, stored = found or (None, None)
        matches = password_matches(stored, password)
        if user_id is None or stored is None or not matches:
            break
        if _locked(session, user_id, stored, password):
            return user_id
        session.rollback()
    raise AuthenticationError("The e-mail address or the password is wrong.")


def _locked(session: Session, user_id: UUID, verified: str, password: str) -> bool:
    """Lock the user's row, and renew a hash of older parameters; False when it is no longer the verified."""
    same = (User.id == user_id, User.password_hash == verified)
    if needs_rehash(verified):
        renewed = hash_password(password)
        return (
            session.execute(
                update(User).where(*same).values(password_hash=renewed).returning(User.id)
            ).one_or_none()
            is not None
        )
    return session.execute(select(User.id).where(*same).with_for_update(read=True)).one_or_none() is not None
