"""A team is never left without an owner.

Whoever takes an owner away from a team locks the team's row first, in a statement of its own, then counts.
Of two last owners who leave at once, the second waits, and sees that the first has left.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from alertops.models import Membership, Team
from alertops.models.team import Role


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
