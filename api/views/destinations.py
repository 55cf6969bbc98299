"""Destinations: places that a team's alerts can go to by a service, such as a room of a chat."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import Destination
from alertops.services.access.door import find_destination, find_team
from alertops.services.access.permissions import Action
from alertops.services.destinations.change_destination import change_destination, delete_destination
from alertops.services.destinations.make_destination import make_destination
from alertops.services.pages import Page, Place, destinations_of
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import destination_keeper, session
from api.schemas.destinations import (
    DestinationChange,
    DestinationInput,
    DestinationPageSchema,
    DestinationSchema,
)
from api.schemas.pages import PageQuery

blueprint = TeamBlueprint(
    "destinations", __name__, description="Destinations: chats and other services that alerts can go to"
)


@blueprint.post("/teams/<uuid:team_id>/destinations")
@blueprint.permits(Action.MANAGE_DESTINATIONS)
@blueprint.arguments(DestinationInput)
@blueprint.response(201, DestinationSchema)
def create(wanted: dict[str, Any], team_id: UUID) -> tuple[Destination, int, dict[str, str]]:
    """Keep a destination, which flows can name from now on. Nothing is sent to it yet."""
    made = make_destination(session(), asking(), team_id, destination_keeper(), **wanted)
    return made, 201, {"Location": url_for("destinations.show", destination_id=made.id)}


@blueprint.get("/teams/<uuid:team_id>/destinations")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, DestinationPageSchema)
def list_destinations(page: dict[str, Any], team_id: UUID) -> Page[Destination, Place]:
    """List a team's destinations, newest first."""
    team = find_team(session(), asking(), team_id)
    return destinations_of(session(), team.id, **page)


@blueprint.get("/destinations/<uuid:destination_id>")
@blueprint.permits(Action.VIEW)
@blueprint.response(200, DestinationSchema)
def show(destination_id: UUID) -> Destination:
    """Show a destination, without its URL."""
    return find_destination(session(), asking(), destination_id)


@blueprint.patch("/destinations/<uuid:destination_id>")
@blueprint.permits(Action.MANAGE_DESTINATIONS)
@blueprint.arguments(DestinationChange)
@blueprint.response(200, DestinationSchema)
def change(changes: dict[str, Any], destination_id: UUID) -> Destination:
    """Change a destination. A new URL holds for what is sent from now on, by alerts under way too."""
    return change_destination(session(), asking(), destination_id, destination_keeper(), **changes)


@blueprint.delete("/destinations/<uuid:destination_id>")
@blueprint.permits(Action.MANAGE_DESTINATIONS)
@blueprint.response(204)
def delete(destination_id: UUID) -> None:
    """Delete a destination: nothing is sent to it any more. Flows that name it tell nobody there."""
    delete_destination(session(), asking(), destination_id)
