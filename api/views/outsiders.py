"""Addresses that a team alerts and that are no member's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alertops.models import Outsider
from alertops.services.access.door import find_outsider, find_team
from alertops.services.access.permissions import Action
from alertops.services.invitations.confirm_outsider import ask_outsider, confirm_outsider
from alertops.services.invitations.find_outsider import AddressedOutsider, find_alerted, find_asked
from alertops.services.invitations.stop_alerts import stop_alerts
from alertops.services.pages import Page, Place, outsiders_of
from api.asking import actor, asking
from api.blueprints import PREFIX, Blueprint, TeamBlueprint
from api.client import calling_client
from api.extensions import dispatcher, limits, session
from api.schemas.nothing import NothingInput
from api.schemas.outsiders import AddressedOutsiderSchema, OutsiderPageSchema, OutsiderSchema
from api.schemas.pages import PageQuery

blueprint = TeamBlueprint("outsiders", __name__, description="Addresses that are no member's")
# For the addresses themselves: whoever has the token needs no account.
addressed = Blueprint(
    "addressed", __name__, url_prefix=PREFIX, description="For those who are alerted and are no members"
)


@blueprint.get("/teams/<uuid:team_id>/outsiders")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, OutsiderPageSchema)
def list_outsiders(page: dict[str, Any], team_id: UUID) -> Page[Outsider, Place]:
    """List the addresses that were alerted, or asked, and are no member's; newest first."""
    team = find_team(session(), asking(), team_id)
    return outsiders_of(session(), team.id, **page)


@blueprint.post("/teams/<uuid:team_id>/outsiders/<uuid:outsider_id>/ask")
@blueprint.permits(Action.EDIT_FLOWS)
@blueprint.arguments(NothingInput, required=False)
@blueprint.response(202, OutsiderSchema)
def ask(_: dict[str, Any], team_id: UUID, outsider_id: UUID) -> Outsider:
    """Ask by mail whether the address may be alerted, also after it was stopped."""
    outsider = find_outsider(session(), asking(), team_id, outsider_id)
    ask_outsider(session(), dispatcher(), limits(), outsider, actor())
    return outsider


@addressed.get("/stop/<string:token>")
@addressed.response(200, AddressedOutsiderSchema)
@addressed.doc(security=[])
def show_alerted(token: str) -> AddressedOutsider:
    """Whose alerts are these? Looking stops nothing: mail programs look, too."""
    return find_alerted(session(), token)


@addressed.post("/stop/<string:token>")
@addressed.response(200, AddressedOutsiderSchema)
@addressed.doc(security=[])
def stop(token: str) -> AddressedOutsider:
    """Stop this team's alerts to my address. The body is not looked at (RFC 8058). Safe to repeat."""
    found = find_alerted(session(), token)
    stop_alerts(session(), found, calling_client())
    return found


@addressed.get("/confirm/<string:token>")
@addressed.response(200, AddressedOutsiderSchema)
@addressed.doc(security=[])
def show_asked(token: str) -> AddressedOutsider:
    """Who asks to alert me? Looking agrees to nothing."""
    return find_asked(session(), token)


@addressed.post("/confirm/<string:token>")
@addressed.response(200, AddressedOutsiderSchema)
@addressed.doc(security=[])
def confirm(token: str) -> AddressedOutsider:
    """Agree that this team alerts my address."""
    found = find_asked(session(), token)
    confirm_outsider(session(), found, calling_client())
    return found
