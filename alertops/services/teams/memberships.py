"""Which teams somebody is in."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Membership, Team


@dataclass(frozen=True)
class TeamRole:
    """A team, and what the user may do there."""

    team_id: UUID
    team_name: str
    role: str


def memberships_of(session: Session, user_id: UUID) -> list[TeamRole]:
    """The user's teams, by name."""
    rows = session.execute(
        select(Team.id, Team.name, Membership.role)
        .join(Membership, Membership.team_id == Team.id)
        .where(Membership.user_id == user_id)
        .order_by(Team.name, Team.id)
    )
    return [TeamRole(*row) for row in rows]
