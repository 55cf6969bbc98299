"""Somebody opens a team, and is its owner."""

from __future__ import annotations

from sqlalchemy.orm import Session

from alertops.models import Membership, Team
from alertops.models.team import Role
from alertops.services.access.actor import Person
from alertops.services.access.audit import audit
from alertops.services.access.wall import beyond_the_wall


def create_team(session: Session, owner: Person, *, name: str) -> Team:
    """Create the team with its owner, and commit."""
    # Behind the wall there is no team that one is not in yet.
    with beyond_the_wall(session):
        team = Team(name=name)
        session.add(team)
        session.flush()
        session.add(Membership(team_id=team.id, user_id=owner.id, role=Role.OWNER))
        audit(session, team.id, owner, "team.created", team.id, after={"name": name})
        session.commit()
    return team
