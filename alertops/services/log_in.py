"""Somebody logs in with their password."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from alertops.services.authenticate import authenticate
from alertops.services.open_session import Client, OpenSession, open_session


def log_in(
    session: Session, *, email: str, password: str, client: Client, lifetime: timedelta
) -> OpenSession:
    """Open a session for whoever has this address and password, and commit; `AuthenticationError` else."""
    user_id = authenticate(session, email=email, password=password)
    return open_session(session, user_id, client, lifetime)
