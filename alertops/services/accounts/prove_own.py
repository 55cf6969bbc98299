"""Somebody who is logged in shows that it is them, and not somebody with their token, by their password."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.errors import InvalidInputError
from alertops.models import User
from alertops.services.access.authenticate import prove
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.throttle import give_back, take


def prove_own(session: Session, limits: Limits, user_id: UUID, password: str, *, pointer: str) -> None:
    """Return with the user's row locked for a change; `InvalidInputError` at `pointer` for a wrong password.

    `ThrottledError` when too many were tried lately.
    """
    counts = limits.password(user_id)
    take(session, counts)
    if prove(session, User.id == user_id, password, for_change=True) is None:
        raise InvalidInputError(pointer, "This is not your password.")
    give_back(session, counts)
