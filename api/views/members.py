"""Members: who is in a team, and what they may do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alertops.models.team import Role
from alertops.services.access.door import find_team
from alertops.services.access.permissions import Action
from alertops.services.pages import Page, Place
from alertops.services.teams.change_role import change_role
from alertops.services.teams.hand_over import hand_over
from alertops.services.teams.members import Member, members_of
from alertops.services.teams.remove_member import remove_member
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import session
from api.schemas.members import HandOverInput, MemberPageSchema, MemberSchema, RoleInput
from api.schemas.pages import PageQuery

blueprint = TeamBlueprint("members", __name__, description="Members: who is in a team")


@blueprint.get("/teams/<uuid:team_id>/members")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, MemberPageSchema)
def list_members(page: dict[str, Any], team_id: UUID) -> Page[Member, Place]:
    """List a team's members, newest last."""
    team = find_team(session(), asking(), team_id)
    return members_of(session(), team.id, **page)


@blueprint.patch("/teams/<uuid:team_id>/members/<uuid:user_id>")
@blueprint.permits(Action.MANAGE_MEMBERS, at_times=[Action.HAND_OVER])
@blueprint.arguments(RoleInput)
@blueprint.response(200, MemberSchema)
def change(changes: dict[str, Role], team_id: UUID, user_id: UUID) -> Member:
    """Change a member's role; to make an owner, or an owner something else, takes an owner."""
    return change_role(session(), asking(), team_id, user_id, **changes)


@blueprint.delete("/teams/<uuid:team_id>/members/<uuid:user_id>")
@blueprint.permits(Action.LEAVE, at_times=[Action.MANAGE_MEMBERS, Action.HAND_OVER])
@blueprint.response(204)
def remove(team_id: UUID, user_id: UUID) -> None:
    """Remove a member, or leave; to remove an owner takes an owner, and the last one has to stay."""
    remove_member(session(), asking(), team_id, user_id)


@blueprint.post("/teams/<uuid:team_id>/hand-over")
@blueprint.permits(Action.HAND_OVER)
@blueprint.arguments(HandOverInput)
@blueprint.response(200, MemberSchema)
def hand_over_team(heir: dict[str, UUID], team_id: UUID) -> Member:
    """Make a member the owner in my place: I am an admin then."""
    return hand_over(session(), asking(), team_id, **heir)
