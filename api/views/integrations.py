"""Integrations: the ways in for monitoring systems. The doors themselves are in `intake/`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import Change, Integration
from alertops.services.access.door import find_integration, find_team
from alertops.services.access.permissions import Action
from alertops.services.intake.dry_run import dry_run
from alertops.services.integrations.change_integration import (
    change_integration,
    revoke_integration,
    rotate_key,
)
from alertops.services.integrations.make_integration import MadeIntegration, make_integration
from alertops.services.pages import Page, Place, changes_of, integrations_of
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import secret_box, session
from api.schemas.integrations import (
    DryRunInput,
    DryRunSchema,
    IntegrationChange,
    IntegrationInput,
    IntegrationPageSchema,
    IntegrationSchema,
    KeyRotation,
    MadeIntegrationSchema,
    RecordedChangePageSchema,
)
from api.schemas.pages import PageQuery

_NO_STORE = {"Cache-Control": "no-store"}

blueprint = TeamBlueprint(
    "integrations", __name__, description="Integrations: monitoring systems that raise alerts"
)


@blueprint.post("/teams/<uuid:team_id>/integrations")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(IntegrationInput)
@blueprint.response(201, MadeIntegrationSchema)
def create(wanted: dict[str, Any], team_id: UUID) -> tuple[MadeIntegration, int, dict[str, str]]:
    """Make an integration. This answer is the only one that has its key."""
    made = make_integration(session(), asking(), team_id, secret_box(), **wanted)
    here = url_for("integrations.show", team_id=team_id, integration_id=made.integration.id)
    return made, 201, {"Location": here, **_NO_STORE}


@blueprint.get("/teams/<uuid:team_id>/integrations")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, IntegrationPageSchema)
def list_integrations(page: dict[str, Any], team_id: UUID) -> Page[Integration, Place]:
    """List a team's integrations, newest first, also those that were revoked."""
    team = find_team(session(), asking(), team_id)
    return integrations_of(session(), team.id, **page)


@blueprint.get("/teams/<uuid:team_id>/integrations/<uuid:integration_id>")
@blueprint.permits(Action.VIEW)
@blueprint.response(200, IntegrationSchema)
def show(team_id: UUID, integration_id: UUID) -> Integration:
    """Show an integration."""
    return find_integration(session(), asking(), team_id, integration_id)


@blueprint.patch("/teams/<uuid:team_id>/integrations/<uuid:integration_id>")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(IntegrationChange)
@blueprint.response(200, IntegrationSchema)
def change(changes: dict[str, Any], team_id: UUID, integration_id: UUID) -> Integration:
    """Change an integration, for what comes from now on; what runs goes on as it was."""
    return change_integration(session(), asking(), (team_id, integration_id), secret_box(), changes)


@blueprint.delete("/teams/<uuid:team_id>/integrations/<uuid:integration_id>")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.response(204)
def revoke(team_id: UUID, integration_id: UUID) -> None:
    """Revoke an integration: its key opens nothing from now on. Safe to repeat."""
    revoke_integration(session(), asking(), team_id, integration_id)


@blueprint.post("/teams/<uuid:team_id>/integrations/<uuid:integration_id>/key")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(KeyRotation, required=False)
@blueprint.response(201, MadeIntegrationSchema)
def rotate(
    wanted: dict[str, Any], team_id: UUID, integration_id: UUID
) -> tuple[MadeIntegration, int, dict[str, str]]:
    """Replace the key. This answer is the only one that has the new one."""
    made = rotate_key(session(), asking(), team_id, integration_id, **wanted)
    return made, 201, _NO_STORE


@blueprint.post("/teams/<uuid:team_id>/integrations/<uuid:integration_id>/dry-run")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(DryRunInput)
@blueprint.response(200, DryRunSchema)
def try_out(wanted: dict[str, Any], team_id: UUID, integration_id: UUID) -> dict[str, Any]:
    """Tell what would become of what a source sends, and which rule would take it where. Changes nothing."""
    integration = find_integration(session(), asking(), team_id, integration_id)
    return {"events": dry_run(session(), integration, wanted["sent"], "/sent")}


@blueprint.get("/teams/<uuid:team_id>/changes")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, RecordedChangePageSchema)
def list_changes(page: dict[str, Any], team_id: UUID) -> Page[Change, Place]:
    """List the changes that integrations have told of, newest first. They alert nobody."""
    team = find_team(session(), asking(), team_id)
    return changes_of(session(), team.id, **page)
