"""An owner makes a member the owner in their place: both change in one transaction, or neither."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.errors import InvalidInputError, NotFoundError
from alertops.models import Membership
from alertops.models.team import Role
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.recipients import NOT_A_MEMBER
from alertops.services.teams.last_owner import future_owner
from alertops.services.teams.locked_team import locked_team
from alertops.services.teams.members import Member, find_member, find_membership


def hand_over(session: Session, asking: Asking, team_id: UUID, *, user_id: UUID) -> Member:
    """Make the member an owner and the asker an admin, and commit; return the new owner.

    Raises `InvalidInputError` when the user is no member, or is the asker.
    """
    if user_id == asking.actor.id:
        raise InvalidInputError("/user_id", "You are an owner already; name another member.")
    with locked_team(session, asking, team_id):
        heir = _heir(session, team_id, user_id)
        giver = find_membership(session, team_id, asking.actor.id)
        before = {"owner": str(giver.user_id), "role": heir.role}
        heir.role, giver.role = Role.OWNER, Role.ADMIN
        after = {"owner": str(heir.user_id), "role": Role.OWNER}
        audit(session, team_id, asking.actor, "member.handed_over", user_id, before=before, after=after)
        return find_member(session, team_id, user_id)


def _heir(session: Session, team_id: UUID, user_id: UUID) -> Membership:
    try:
        return future_owner(session, team_id, user_id)
    except NotFoundError as error:
        raise InvalidInputError("/user_id", NOT_A_MEMBER) from error
