"""Teams."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import Team
from alertops.services.access import find_team
from alertops.services.create_team import create_team
from alertops.services.pages import Page, Place, teams_of
from alertops.services.permissions import Action
from api.asking import actor, asking
from api.blueprints import PeopleBlueprint, TeamBlueprint
from api.extensions import session
from api.schemas.pages import PageQuery
from api.schemas.teams import TeamInput, TeamPageSchema, TeamSchema

blueprint = TeamBlueprint("teams", __name__, description="Teams: who alerts are for")
# What comes before there is a team that could allow it.
own = PeopleBlueprint("own_teams", __name__, description="The caller's teams")


@own.post("/teams")
@own.arguments(TeamInput)
@own.response(201, TeamSchema)
def create(team: dict[str, Any]) -> tuple[Team, int, dict[str, str]]:
    """Open a team; the caller is its owner."""
    created = create_team(session(), actor().id, **team)
    return created, 201, {"Location": url_for("teams.show", team_id=created.id)}


@own.get("/teams")
@own.arguments(PageQuery, location="query")
@own.response(200, TeamPageSchema)
def list_teams(page: dict[str, Any]) -> Page[Team, Place]:
    """List the caller's teams, newest first."""
    return teams_of(session(), actor(), **page)


@blueprint.get("/teams/<uuid:team_id>")
@blueprint.permits(Action.VIEW)
@blueprint.response(200, TeamSchema)
def show(team_id: UUID) -> Team:
    """Show a team."""
    return find_team(session(), asking(), team_id)
