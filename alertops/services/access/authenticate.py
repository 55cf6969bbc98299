"""Somebody says who they are, and proves it with a password."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from alertops.errors import AuthenticationError
from alertops.models import User
from alertops.services.accounts.passwords import hash_password, needs_rehash, password_matches

# As often a password may be changed, or its hash renewed, between a look at it and the lock.
_TRIES = 3


def authenticate(session: Session, *, email: str, password: str) -> UUID:
    """The id of the user with this address (in any case) and password; `AuthenticationError` else.

    An unknown address and a wrong password are the same error, after about the same time. What the caller
    does next in the running transaction is done while the password is still this one: the user's row
    is locked against its change.
    """
    user_id = prove(session, func.lower(User.email) == func.lower(email), password)
    if user_id is None:
        raise AuthenticationError("The e-mail address or the password is wrong.")
    return user_id


def prove(
    session: Session, who: ColumnElement[bool], password: str, *, for_change: bool = False
) -> UUID | None:
    """The id of this user if the password is theirs, with the user's row locked; None else.

    With `for_change` the lock is for whoever is about to change or delete the row.
    """
    for _ in range(_TRIES):
        found = session.execute(select(User.id, User.password_hash).where(who)).one_or_none()
        # Hashing takes long on purpose; the connection is of more use to others meanwhile.
        session.rollback()
        user_id, stored = found or (None, None)
        matches = password_matches(stored, password)
        if user_id is None or stored is None or not matches:
            return None
        renewed = hash_password(password) if needs_rehash(stored) else None
        same = (User.id == user_id, User.password_hash == stored)
        lock = select(User.id).where(*same).with_for_update(read=not (for_change or renewed))
        if session.execute(lock).one_or_none() is not None:
            _renew(session, user_id, renewed)
            return user_id
        session.rollback()
    return None


def _renew(session: Session, user_id: UUID, renewed: str | None) -> None:
    """Store the hash that was made with today's parameters, if the old one was not."""
    if renewed is not None:
        session.execute(update(User).where(User.id == user_id).values(password_hash=renewed))
