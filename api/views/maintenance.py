"""Maintenance: times in which alerts tell nobody, and are seen all the same."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alertops.models import MaintenanceWindow
from alertops.services.access.door import find_team
from alertops.services.access.permissions import Action
from alertops.services.maintenance.declare import declare_maintenance
from alertops.services.maintenance.end import Ended, end_maintenance
from alertops.services.pages import Page, Place, maintenance_windows_of
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import dispatcher, session
from api.schemas.maintenance import (
    EndedMaintenanceSchema,
    MaintenanceInput,
    MaintenancePageSchema,
    MaintenanceSchema,
)
from api.schemas.pages import PageQuery

blueprint = TeamBlueprint("maintenance", __name__, description="Maintenance: times in which nobody is told")


@blueprint.post("/teams/<uuid:team_id>/maintenance-windows")
@blueprint.permits(Action.DECLARE_MAINTENANCE)
@blueprint.arguments(MaintenanceInput)
@blueprint.response(201, MaintenanceSchema)
def declare(wanted: dict[str, Any], team_id: UUID) -> MaintenanceWindow:
    """Declare a window: once, or in hours that come again."""
    return declare_maintenance(session(), asking(), team_id, **wanted)


@blueprint.get("/teams/<uuid:team_id>/maintenance-windows")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, MaintenancePageSchema)
def list_windows(page: dict[str, Any], team_id: UUID) -> Page[MaintenanceWindow, Place]:
    """List a team's windows, newest first, also those that are over."""
    team = find_team(session(), asking(), team_id)
    return maintenance_windows_of(session(), team.id, **page)


@blueprint.delete("/teams/<uuid:team_id>/maintenance-windows/<uuid:window_id>")
@blueprint.permits(Action.DECLARE_MAINTENANCE)
@blueprint.response(200, EndedMaintenanceSchema)
def end(team_id: UUID, window_id: UUID) -> Ended:
    """End a window now. What it holds comes back. Safe to repeat."""
    return end_maintenance(session(), dispatcher(), asking(), team_id, window_id)
