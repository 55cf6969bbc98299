"""A member may do more from now on, or less: at once, with whatever token they have."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.models.team import Role
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.access.door import find_team
from alertops.services.access.permissions import Action
from alertops.services.teams.last_owner import future_owner, require_another_owner
from alertops.services.teams.locked_team import locked_team
from alertops.services.teams.members import Member, find_member, find_membership


def change_role(session: Session, asking: Asking, team_id: UUID, user_id: UUID, *, role: Role) -> Member:
    """Change the role and commit; the role that they have already changes nothing.

    To make an owner, or to make an owner something else, takes the right to hand over. Raises
    `ConflictError` when the team would have no owner.
    """
    with locked_team(session, asking, team_id):
        found = future_owner if role is Role.OWNER else find_membership
        membership = found(session, team_id, user_id)
        before = Role(membership.role)
        if Role.OWNER in (before, role):
            find_team(session, replace(asking, action=Action.HAND_OVER), team_id)
        if before is not role:
            if before is Role.OWNER:
                require_another_owner(session, team_id, user_id)
            membership.role = role
            changed = {"before": {"role": before}, "after": {"role": role}}
            audit(session, team_id, asking.actor, "member.role_changed", user_id, **changed)
        return find_member(session, team_id, user_id)
