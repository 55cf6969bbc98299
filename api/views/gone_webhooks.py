"""Webhooks that said that they are gone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alertops.models import GoneWebhook
from alertops.services.access.door import find_team
from alertops.services.access.permissions import Action
from alertops.services.gone_webhooks import clear_gone_webhook
from alertops.services.pages import Page, Place, gone_webhooks_of
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import session
from api.schemas.gone_webhooks import GoneWebhookPageSchema
from api.schemas.pages import PageQuery

blueprint = TeamBlueprint("gone_webhooks", __name__, description="Webhooks that said that they are gone")


@blueprint.get("/teams/<uuid:team_id>/gone-webhooks")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, GoneWebhookPageSchema)
def list_gone(page: dict[str, Any], team_id: UUID) -> Page[GoneWebhook, Place]:
    """List the webhooks that answered 410 Gone, and are not told any more; newest first."""
    team = find_team(session(), asking(), team_id)
    return gone_webhooks_of(session(), team.id, **page)


@blueprint.delete("/teams/<uuid:team_id>/gone-webhooks/<uuid:gone_id>")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.response(204)
def clear(team_id: UUID, gone_id: UUID) -> None:
    """Tell it again, from the next step on. Saving a flow that names its URL does the same."""
    clear_gone_webhook(session(), asking(), team_id, gone_id)
