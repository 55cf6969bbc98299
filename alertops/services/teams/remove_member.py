"""Somebody is not in the team any more: they left, or were removed.

It holds from the next request on, whatever token they have. Nodes that name them resolve to nobody when
they fire, which escalates at once.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.models.team import Role
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.access.door import find_team
from alertops.services.access.permissions import Action
from alertops.services.teams.last_owner import require_another_owner
from alertops.services.teams.locked_team import locked_team
from alertops.services.teams.members import find_membership


def remove_member(session: Session, asking: Asking, team_id: UUID, user_id: UUID) -> None:
    """Take the member out and commit. To leave takes membership alone; to remove others takes more.

    Raises `ConflictError` when the team would have no owner.
    """
    leaving = user_id == asking.actor.id
    with locked_team(session, asking, team_id):
        if not leaving:
            find_team(session, replace(asking, action=Action.MANAGE_MEMBERS), team_id)
        membership = find_membership(session, team_id, user_id)
        if membership.role == Role.OWNER:
            if not leaving:
                find_team(session, replace(asking, action=Action.HAND_OVER), team_id)
            require_another_owner(session, team_id, user_id)
        session.delete(membership)
        what = "member.left" if leaving else "member.removed"
        audit(session, team_id, asking.actor, what, user_id, before={"role": membership.role})
