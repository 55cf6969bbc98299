"""Somebody opens an account."""

from __future__ import annotations

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.errors import ConflictError
from alertops.models import User
from alertops.services.limits import Limits
from alertops.services.open_session import Client
from alertops.services.passwords import hash_password
from alertops.services.throttle import take


def register_user(
    session: Session, limits: Limits, *, email: str, name: str, password: str, client: Client
) -> User:
    """Create the account and commit; `ConflictError` when the address, in any case, has one.

    `ThrottledError` when too many were registered lately from this client's address.

    The unique index decides, not a look beforehand: of two that race, one gets the account.
    """
    take(session, limits.register(email, client.address))
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
