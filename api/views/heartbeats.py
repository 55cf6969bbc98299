"""Heartbeats: jobs whose silence is an alert. Where they ping is in `intake/pings.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import current_app, url_for

from alertops.models import Heartbeat
from alertops.services.access.door import find_heartbeat, find_team
from alertops.services.access.permissions import Action
from alertops.services.heartbeats.change_heartbeat import (
    change_heartbeat,
    delete_heartbeat,
    rotate_heartbeat_key,
)
from alertops.services.heartbeats.make_heartbeat import MadeHeartbeat, make_heartbeat
from alertops.services.pages import Page, Place, heartbeats_of
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import dispatcher, session
from api.schemas.heartbeats import (
    HeartbeatChange,
    HeartbeatInput,
    HeartbeatPageSchema,
    HeartbeatSchema,
    MadeHeartbeatSchema,
)
from api.schemas.integrations import KeyRotation
from api.schemas.pages import PageQuery

_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class ShownOnce:
    """A heartbeat, its key, and the URL with the key in it."""

    heartbeat: Heartbeat
    key: str
    ping_url: str


blueprint = TeamBlueprint("heartbeats", __name__, description="Heartbeats: jobs whose silence is an alert")


@blueprint.post("/teams/<uuid:team_id>/heartbeats")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(HeartbeatInput)
@blueprint.response(201, MadeHeartbeatSchema)
def create(wanted: dict[str, Any], team_id: UUID) -> tuple[ShownOnce, int, dict[str, str]]:
    """Expect pings of a job. This answer is the only one that has its key."""
    made = make_heartbeat(session(), asking(), team_id, wanted)
    here = url_for("heartbeats.show", heartbeat_id=made.heartbeat.id)
    return _shown_once(made), 201, {"Location": here, **_NO_STORE}


@blueprint.get("/teams/<uuid:team_id>/heartbeats")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, HeartbeatPageSchema)
def list_heartbeats(page: dict[str, Any], team_id: UUID) -> Page[Heartbeat, Place]:
    """List a team's heartbeats, newest first: how it stands with each job."""
    team = find_team(session(), asking(), team_id)
    return heartbeats_of(session(), team.id, **page)


@blueprint.get("/heartbeats/<uuid:heartbeat_id>")
@blueprint.permits(Action.VIEW)
@blueprint.response(200, HeartbeatSchema)
def show(heartbeat_id: UUID) -> Heartbeat:
    """Show a heartbeat: how it stands with the job, its last ping, and when the next one is due."""
    return find_heartbeat(session(), asking(), heartbeat_id)


@blueprint.patch("/heartbeats/<uuid:heartbeat_id>")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(HeartbeatChange)
@blueprint.response(200, HeartbeatSchema)
def change(changes: dict[str, Any], heartbeat_id: UUID) -> Heartbeat:
    """Change what is expected of a job, or pause and resume it. What its silence has started goes on."""
    return change_heartbeat(session(), dispatcher(), asking(), heartbeat_id, changes)


@blueprint.delete("/heartbeats/<uuid:heartbeat_id>")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.response(204)
def delete(heartbeat_id: UUID) -> None:
    """Expect nothing of the job any more. What its silence has started goes on."""
    delete_heartbeat(session(), asking(), heartbeat_id)


@blueprint.post("/heartbeats/<uuid:heartbeat_id>/key")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(KeyRotation, required=False)
@blueprint.response(201, MadeHeartbeatSchema)
def rotate(wanted: dict[str, Any], heartbeat_id: UUID) -> tuple[ShownOnce, int, dict[str, str]]:
    """Replace the key. This answer is the only one that has the new one."""
    made = rotate_heartbeat_key(session(), asking(), heartbeat_id, **wanted)
    return _shown_once(made), 201, _NO_STORE


def _shown_once(made: MadeHeartbeat) -> ShownOnce:
    ping_url = current_app.config["PUBLIC_URL"] + url_for("pings.ping", key=made.key)
    return ShownOnce(made.heartbeat, made.key, ping_url)
