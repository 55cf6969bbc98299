"""Teams."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import Team
from alertops.services.access.door import find_team
from alertops.services.access.permissions import Action
from alertops.services.pages import Page, Place, teams_of
from alertops.services.teams.create_team import create_team
from alertops.services.teams.delete_team import Deletion, delete_team, preview_deletion
from alertops.services.teams.rename_team import rename_team
from api.asking import actor, asking, person
from api.blueprints import PeopleBlueprint, TeamBlueprint
from api.extensions import session
from api.schemas.pages import PageQuery
from api.schemas.teams import DeletionSchema, TeamInput, TeamPageSchema, TeamSchema

blueprint = TeamBlueprint("teams", __name__, description="Teams: who alerts are for")
# What comes before there is a team that could allow it.
own = PeopleBlueprint("own_teams", __name__, description="The caller's teams")


@own.post("/teams")
@own.arguments(TeamInput)
@own.response(201, TeamSchema)
def create(team: dict[str, Any]) -> tuple[Team, int, dict[str, str]]:
    """Open a team; the caller is its owner."""
    created = create_team(session(), person(), **team)
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


@blueprint.patch("/teams/<uuid:team_id>")
@blueprint.permits(Action.RENAME_TEAM)
@blueprint.arguments(TeamInput)
@blueprint.response(200, TeamSchema)
def rename(changes: dict[str, Any], team_id: UUID) -> Team:
    """Rename a team."""
    return rename_team(session(), asking(), team_id, **changes)


@blueprint.get("/teams/<uuid:team_id>/deletion")
@blueprint.permits(Action.DELETE_TEAM)
@blueprint.response(200, DeletionSchema)
def show_deletion(team_id: UUID) -> Deletion:
    """Show what would end if the team was deleted now."""
    team = find_team(session(), asking(), team_id)
    return preview_deletion(session(), team.id)


@blueprint.delete("/teams/<uuid:team_id>")
@blueprint.permits(Action.DELETE_TEAM)
@blueprint.response(200, DeletionSchema)
def delete(team_id: UUID) -> Deletion:
    """Delete a team, for good: nothing of it fires or starts any more, and nobody can reach it."""
    return delete_team(session(), asking(), team_id)
