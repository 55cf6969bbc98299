"""API keys: how programs act for a team."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alertops.models import ApiKey
from alertops.services.access.door import find_team
from alertops.services.access.permissions import Action
from alertops.services.pages import Page, Place, api_keys_of
from alertops.services.teams.make_api_key import MadeKey, make_api_key
from alertops.services.teams.revoke_api_key import revoke_api_key
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import session
from api.schemas.api_keys import ApiKeyInput, ApiKeyPageSchema, MadeKeySchema
from api.schemas.pages import PageQuery

blueprint = TeamBlueprint("api_keys", __name__, description="API keys: programs that act for a team")


@blueprint.post("/teams/<uuid:team_id>/api-keys")
@blueprint.permits(Action.MANAGE_KEYS)
@blueprint.arguments(ApiKeyInput)
@blueprint.response(201, MadeKeySchema)
def create(wanted: dict[str, Any], team_id: UUID) -> tuple[MadeKey, int, dict[str, str]]:
    """Make a key. This answer is the only one that has it."""
    return make_api_key(session(), asking(), team_id, **wanted), 201, {"Cache-Control": "no-store"}


@blueprint.get("/teams/<uuid:team_id>/api-keys")
@blueprint.permits(Action.MANAGE_KEYS)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, ApiKeyPageSchema)
def list_keys(page: dict[str, Any], team_id: UUID) -> Page[ApiKey, Place]:
    """List a team's keys, newest first, also those that are over."""
    team = find_team(session(), asking(), team_id)
    return api_keys_of(session(), team.id, **page)


@blueprint.delete("/teams/<uuid:team_id>/api-keys/<uuid:key_id>")
@blueprint.permits(Action.MANAGE_KEYS)
@blueprint.response(204)
def revoke(team_id: UUID, key_id: UUID) -> None:
    """Revoke a key: it opens nothing from now on. Safe to repeat."""
    revoke_api_key(session(), asking(), team_id, key_id)
