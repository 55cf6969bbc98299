"""Invitations, for whom they are: with the token that was mailed, or logged in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alertops.services.access.wall import beyond_the_wall
from alertops.services.invitations.answer_invitation import Answerer, accept_invitation, decline_invitation
from alertops.services.invitations.find_invitation import (
    ShownInvitation,
    find_by_token,
    find_own,
    open_invitations_to,
)
from api.asking import require_person_if_any
from api.blueprints import PREFIX, Blueprint, PeopleBlueprint
from api.client import calling_client
from api.extensions import session
from api.schemas.invitations import ReceivedInvitationSchema, ReceivedInvitationsSchema
from api.schemas.nothing import NothingInput
from api.tokens import caller, caller_if_any

# Whoever has the token needs no account; whoever is logged in as well answers as who they are.
blueprint = Blueprint(
    "received_invitations", __name__, url_prefix=PREFIX, description="Invitations, for whom they are"
)
blueprint.before_request(require_person_if_any)
# Who is invited is not in the team yet, and behind the wall there is nothing of it.
own = PeopleBlueprint("own_invitations", __name__, description="Invitations to the caller's own address")

_EITHER: list[dict[str, list[str]]] = [{}, {"accessToken": []}]


@blueprint.get("/invitations/<string:token>")
@blueprint.response(200, ReceivedInvitationSchema)
@blueprint.doc(security=_EITHER)
def show(token: str) -> ShownInvitation:
    """Who invites me, into what? Looking answers nothing."""
    return find_by_token(session(), token)


@blueprint.post("/invitations/<string:token>/accept")
@blueprint.arguments(NothingInput, required=False)
@blueprint.response(200, ReceivedInvitationSchema)
@blueprint.doc(security=_EITHER)
def accept(_: dict[str, Any], token: str) -> ShownInvitation:
    """Say yes. Without an account yet it is remembered, and put into effect when there is one."""
    found = find_by_token(session(), token)
    accept_invitation(session(), found.invitation, _whoever_has_the_token())
    return found


@blueprint.post("/invitations/<string:token>/decline")
@blueprint.arguments(NothingInput, required=False)
@blueprint.response(200, ReceivedInvitationSchema)
@blueprint.doc(security=_EITHER)
def decline(_: dict[str, Any], token: str) -> ShownInvitation:
    """Say no; it is remembered, too."""
    found = find_by_token(session(), token)
    decline_invitation(session(), found.invitation, _whoever_has_the_token())
    return found


@own.get("/me/invitations")
@own.response(200, ReceivedInvitationsSchema)
def list_own() -> dict[str, Any]:
    """List what waits for my answer; nothing until I have proved that my address is mine."""
    with beyond_the_wall(session()):
        found = open_invitations_to(session(), caller())
        session().commit()
    return {"items": found}


@own.post("/me/invitations/<uuid:invitation_id>/accept")
@own.arguments(NothingInput, required=False)
@own.response(200, ReceivedInvitationSchema)
def accept_own(_: dict[str, Any], invitation_id: UUID) -> ShownInvitation:
    """Join the team."""
    with beyond_the_wall(session()):
        found = find_own(session(), caller(), invitation_id)
        accept_invitation(session(), found.invitation, _the_caller())
    return found


@own.post("/me/invitations/<uuid:invitation_id>/decline")
@own.arguments(NothingInput, required=False)
@own.response(200, ReceivedInvitationSchema)
def decline_own(_: dict[str, Any], invitation_id: UUID) -> ShownInvitation:
    """Say no."""
    with beyond_the_wall(session()):
        found = find_own(session(), caller(), invitation_id)
        decline_invitation(session(), found.invitation, _the_caller())
    return found


def _the_caller() -> Answerer:
    return Answerer(caller(), has_token=False, client=calling_client())


def _whoever_has_the_token() -> Answerer:
    return Answerer(caller_if_any(), has_token=True, client=calling_client())
