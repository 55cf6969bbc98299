"""A team is called something else."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.models import Team
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.teams.locked_team import locked_team


def rename_team(session: Session, asking: Asking, team_id: UUID, *, name: str) -> Team:
    """Change the name and commit; the name that it has already changes nothing."""
    with locked_team(session, asking, team_id) as team:
        if name != team.name:
            changed = {"before": {"name": team.name}, "after": {"name": name}}
            team.name = name
            audit(session, team_id, asking.actor, "team.renamed", team_id, **changed)
    return team
