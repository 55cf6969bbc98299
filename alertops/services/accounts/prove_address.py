"""An account proves that it reads what is sent to its address: by a token from there."""

from __future__ import annotations

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from alertops.models import User
from alertops.services.accounts.open_session import Client
from alertops.services.invitations.take_up_invitations import take_up_invitations


def prove_address(session: Session, user: User, client: Client) -> None:
    """Mark the address as proved, and put into effect what was accepted for it; does not commit.

    The caller has checked the token, and that whoever shows it is logged in as this account, or is just
    opening it; and holds the user's row.
    """
    session.execute(
        update(User)
        .where(User.id == user.id, User.email_verified_at.is_(None))
        .values(email_verified_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
    session.refresh(user)
    take_up_invitations(session, user, client)
