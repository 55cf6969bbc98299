"""Somebody opens an account."""

from __future__ import annotations

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.errors import ConflictError
from alertops.models import User
from alertops.services.passwords import hash_password


def register_user(session: Session, *, email: str, name: str, password: str) -> User:
    """Create the account and commit; `ConflictError` when the address, in any case, has one.

    The unique index decides, not a look beforehand: of two that race, one gets the account.
    """
    password_hash = hash_password(password)
    user = session.scalars(
        insert(User)
        .values(email=email, name=name, password_hash=password_hash)
        .on_conflict_do_nothing(index_elements=[func.lower(User.email)])
        .returning(User)
    ).one_or_none()
    session.commit()
    if user is None:
        raise ConflictError("There is an account with this e-mail address already.")
    return user
