"""Somebody leaves for good.

Memberships and sessions go with the account: nodes that name the user resolve to nobody from then on, and
every token stops working. What the user did stays told, under an id that is nobody's now.
"""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import delete
from sqlalchemy.orm import Session

from alertops.errors import ConflictError
from alertops.models import User
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.prove_own import prove_own
from alertops.services.teams.last_owner import teams_left_without_owner

# Of the teams that hold an account back, as many are named.
_NAMED = 20

log = structlog.get_logger(__name__)


def delete_account(session: Session, limits: Limits, user_id: UUID, *, password: str) -> None:
    """Delete the account and commit; `ConflictError` names the teams whose last owner the user is."""
    prove_own(session, limits, user_id, password, pointer="/password")
    held = teams_left_without_owner(session, user_id)
    if held:
        session.commit()  # nothing but that the password was right
        raise ConflictError(
            "You are the last owner of a team: make somebody else an owner, or delete the team, first.",
            teams=[{"id": str(team.id), "name": team.name} for team in held[:_NAMED]],
            count=len(held),
        )
    session.execute(delete(User).where(User.id == user_id))
    session.commit()
    log.info("account_deleted", user=str(user_id))
