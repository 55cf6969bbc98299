"""Webhook secrets: what a team's webhooks are signed with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alertops.models import WebhookSecret
from alertops.services.access.door import find_team
from alertops.services.access.permissions import Action
from alertops.services.pages import Page, Place, webhook_secrets_of
from alertops.services.teams.make_webhook_secret import MadeSecret, make_webhook_secret
from alertops.services.teams.revoke_webhook_secret import revoke_webhook_secret
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import secret_box, session
from api.schemas.nothing import NothingInput
from api.schemas.pages import PageQuery
from api.schemas.webhook_secrets import MadeWebhookSecretSchema, WebhookSecretPageSchema

blueprint = TeamBlueprint(
    "webhook_secrets", __name__, description="Webhook secrets: what a team's webhooks are signed with"
)


@blueprint.post("/teams/<uuid:team_id>/webhook-secrets")
@blueprint.permits(Action.MANAGE_KEYS)
@blueprint.arguments(NothingInput, required=False)
@blueprint.response(201, MadeWebhookSecretSchema)
def create(_: dict[str, Any], team_id: UUID) -> tuple[MadeSecret, int, dict[str, str]]:
    """Make a secret that signs the team's webhooks from now on. This answer is the only one that has it.

    A team has two at most: then each webhook has a signature of both, so that receivers can change over.
    """
    made = make_webhook_secret(session(), asking(), team_id, secret_box())
    return made, 201, {"Cache-Control": "no-store"}


@blueprint.get("/teams/<uuid:team_id>/webhook-secrets")
@blueprint.permits(Action.MANAGE_KEYS)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, WebhookSecretPageSchema)
def list_secrets(page: dict[str, Any], team_id: UUID) -> Page[WebhookSecret, Place]:
    """List a team's webhook secrets, newest first."""
    team = find_team(session(), asking(), team_id)
    return webhook_secrets_of(session(), team.id, **page)


@blueprint.delete("/teams/<uuid:team_id>/webhook-secrets/<uuid:secret_id>")
@blueprint.permits(Action.MANAGE_KEYS)
@blueprint.response(204)
def revoke(team_id: UUID, secret_id: UUID) -> None:
    """Revoke a secret: it is deleted, and signs nothing from now on."""
    revoke_webhook_secret(session(), asking(), team_id, secret_id)
