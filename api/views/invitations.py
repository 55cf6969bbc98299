"""Invitations, for the team that sends them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import Invitation
from alertops.services.access.door import find_invitation, find_team
from alertops.services.access.permissions import Action
from alertops.services.invitations.invitation_changes import (
    change_invitation,
    resend_invitation,
    revoke_invitation,
)
from alertops.services.invitations.invitation_letters import SentInvitation, with_letters
from alertops.services.invitations.invite import invite
from alertops.services.pages import Page, Place, invitations_of
from api.asking import actor, asking
from api.blueprints import TeamBlueprint
from api.extensions import dispatcher, limits, session
from api.schemas.invitations import (
    InvitationChange,
    InvitationInput,
    InvitationPageSchema,
    InvitationQuery,
    InvitationSchema,
)
from api.schemas.nothing import NothingInput

blueprint = TeamBlueprint("invitations", __name__, description="Invitations: people who are asked in")


@blueprint.post("/teams/<uuid:team_id>/invitations")
@blueprint.permits(Action.MANAGE_MEMBERS)
@blueprint.arguments(InvitationInput)
@blueprint.response(201, InvitationSchema)
def create(invitation: dict[str, Any], team_id: UUID) -> tuple[SentInvitation, int, dict[str, str]]:
    """Invite an address, whether or not it has an account."""
    team = find_team(session(), asking(), team_id)
    sent = invite(session(), dispatcher(), limits(), team, actor(), **invitation)
    location = url_for("invitations.show", team_id=team_id, invitation_id=sent.id)
    return _shown(sent), 201, {"Location": location}


@blueprint.get("/teams/<uuid:team_id>/invitations")
@blueprint.permits(Action.MANAGE_MEMBERS)
@blueprint.arguments(InvitationQuery, location="query")
@blueprint.response(200, InvitationPageSchema)
def list_invitations(page: dict[str, Any], team_id: UUID) -> Page[SentInvitation, Place]:
    """List a team's invitations, newest first."""
    team = find_team(session(), asking(), team_id)
    found = invitations_of(session(), team.id, **page)
    return Page(with_letters(session(), found.items), found.next)


@blueprint.get("/teams/<uuid:team_id>/invitations/<uuid:invitation_id>")
@blueprint.permits(Action.MANAGE_MEMBERS)
@blueprint.response(200, InvitationSchema)
def show(team_id: UUID, invitation_id: UUID) -> SentInvitation:
    """Show an invitation, and how its mail fared."""
    return _shown(find_invitation(session(), asking(), team_id, invitation_id))


@blueprint.patch("/teams/<uuid:team_id>/invitations/<uuid:invitation_id>")
@blueprint.permits(Action.MANAGE_MEMBERS)
@blueprint.arguments(InvitationChange)
@blueprint.response(200, InvitationSchema)
def change(changes: dict[str, Any], team_id: UUID, invitation_id: UUID) -> SentInvitation:
    """Offer another role; it counts when the invitation is put into effect."""
    invitation = find_invitation(session(), asking(), team_id, invitation_id)
    change_invitation(session(), invitation, actor(), **changes)
    return _shown(invitation)


@blueprint.post("/teams/<uuid:team_id>/invitations/<uuid:invitation_id>/resend")
@blueprint.permits(Action.MANAGE_MEMBERS)
@blueprint.arguments(NothingInput, required=False)
@blueprint.response(200, InvitationSchema)
def resend(_: dict[str, Any], team_id: UUID, invitation_id: UUID) -> SentInvitation:
    """Send it again, also when it has expired for want of an answer."""
    invitation = find_invitation(session(), asking(), team_id, invitation_id)
    resend_invitation(session(), dispatcher(), limits(), invitation, actor())
    return _shown(invitation)


@blueprint.delete("/teams/<uuid:team_id>/invitations/<uuid:invitation_id>")
@blueprint.permits(Action.MANAGE_MEMBERS)
@blueprint.response(200, InvitationSchema)
def revoke(team_id: UUID, invitation_id: UUID) -> SentInvitation:
    """Take it back, also what was accepted and is not in effect yet. Safe to repeat."""
    invitation = find_invitation(session(), asking(), team_id, invitation_id)
    revoke_invitation(session(), invitation, actor())
    return _shown(invitation)


def _shown(invitation: Invitation) -> SentInvitation:
    return with_letters(session(), [invitation])[0]
