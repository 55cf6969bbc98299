"""Somebody logs in with their password."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from alertops.services.access.authenticate import authenticate
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.open_session import Client, OpenSession, open_session
from alertops.services.accounts.throttle import give_back, take


def log_in(
    session: Session, limits: Limits, *, email: str, password: str, client: Client, lifetime: timedelta
) -> OpenSession:
    """Open a session for whoever has this address and password, and commit.

    `AuthenticationError` when nobody has; `ThrottledError`, without a look at the password, when too much
    was tried lately at this account or from this client's address.
    """
    counts = limits.login(session, email, client.address)
    take(session, counts)
    user_id = authenticate(session, email=email, password=password)
    give_back(session, counts)
    return open_session(session, user_id, client, lifetime)
