"""A team is never left without an owner.

Whoever takes an owner away from a team locks the team's row first, in a statement of its own, then counts.
Of two last owners who leave at once, the second waits, and sees that the first has left.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from alertops.errors import ConflictError
from alertops.models import Membership, Team, User
from alertops.models.team import Role
from alertops.services.teams.members import find_membership


def teams_left_without_owner(session: Session, user_id: UUID) -> list[Team]:
    """The teams that would have no owner without this user, by name; those that the user owns are locked."""
    owned = (Membership.user_id == user_id, Membership.role == Role.OWNER)
    # In the order of their ids: two who own the same teams wait for each other, and not in a circle.
    session.execute(
        select(Team.id)
        .where(Team.id.in_(select(Membership.team_id).where(*owned)))
        .order_by(Team.id)
        .with_for_update(key_share=True)
    ).all()
    other = aliased(Membership)
    another_owner = exists().where(
        other.team_id == Team.id, other.user_id != user_id, other.role == Role.OWNER
    )
    return list(
        session.scalars(
            select(Team)
            .join(Membership, Membership.team_id == Team.id)
            .where(*owned, ~another_owner)
            .order_by(Team.name, Team.id)
        )
    )


def require_another_owner(session: Session, team_id: UUID, user_id: UUID) -> None:
    """`ConflictError` when this user is the last owner of the team, whose row must be locked."""
    others = exists().where(
        Membership.team_id == team_id, Membership.user_id != user_id, Membership.role == Role.OWNER
    )
    if not session.scalar(select(others)):
        raise ConflictError(
            "This is the last owner of the team: make somebody else an owner first (hand-over), "
            "or delete the team.",
            owners=1,
        )


def future_owner(session: Session, team_id: UUID, user_id: UUID) -> Membership:
    """The membership of somebody who is to be an owner, whose account stays until that has committed.

    Who deletes their account counts the teams that they own; this one, they are not seen to own yet. So an
    account that is being deleted is waited for, and then there is no such member. One who owns the team
    already is not waited for: their deletion waits for the team.
    """
    membership = find_membership(session, team_id, user_id)
    if membership.role == Role.OWNER:
        return membership
    session.execute(select(User.id).where(User.id == user_id).with_for_update(read=True, key_share=True))
    return find_membership(session, team_id, user_id)
