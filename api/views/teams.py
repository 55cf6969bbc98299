"""Teams."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import Team
from alertops.services.access import find_team
from alertops.services.create_team import create_team
from alertops.services.pages import Page, Place, teams_of
from api.blueprints import MembersBlueprint
from api.extensions import session
from api.schemas.pages import PageQuery
from api.schemas.teams import TeamInput, TeamPageSchema, TeamSchema
from api.tokens import caller

blueprint = MembersBlueprint("teams", __name__, description="Teams: who alerts are for")


@blueprint.post("/teams")
@blueprint.arguments(TeamInput)
@blueprint.response(201, TeamSchema)
def create(team: dict[str, Any]) -> tuple[Team, int, dict[str, str]]:
    """Open a team; the caller is its owner."""
    created = create_team(session(), caller().id, **team)
    return created, 201, {"Location": url_for("teams.show", team_id=created.id)}


@blueprint.get("/teams")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, TeamPageSchema)
def list_teams(page: dict[str, Any]) -> Page[Team, Place]:
    """List the caller's teams, newest first."""
    return teams_of(session(), caller().id, **page)


@blueprint.get("/teams/<uuid:team_id>")
@blueprint.response(200, TeamSchema)
def show(team_id: UUID) -> Team:
    """Show a team."""
    return find_team(session(), caller().id, team_id)
