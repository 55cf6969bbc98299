"""Somebody opens a team, and is its owner."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.models import Membership, Team
from alertops.models.team import Role
from alertops.services.wall import beyond_the_wall


def create_team(session: Session, owner_id: UUID, *, name: str) -> Team:
    """Create the team with its owner, and commit."""
    # Behind the wall there is no team that one is not in yet.
    with beyond_the_wall(session):
        team = Team(name=name)
        session.add(team)
        session.flush()
        session.add(Membership(team_id=team.id, user_id=owner_id, role=Role.OWNER))
        session.commit()
    return team
