"""The caller's own account."""

from __future__ import annotations

from typing import Any

from alertops.models import User
from alertops.services.access.wall import beyond_the_wall
from alertops.services.accounts.change_password import change_password
from alertops.services.accounts.delete_account import delete_account
from alertops.services.accounts.rename_user import rename_user
from alertops.services.accounts.verify_address import ask_for_address, ask_to_verify, verify_address
from alertops.services.teams.memberships import memberships_of
from api.blueprints import PeopleBlueprint
from api.client import calling_client
from api.extensions import dispatcher, limits, session
from api.schemas.accounts import (
    MailTokenInput,
    MeSchema,
    NewAddressInput,
    NewNameInput,
    NewPasswordInput,
    PasswordInput,
)
from api.schemas.nothing import NothingInput
from api.tokens import caller, current_session_id

blueprint = PeopleBlueprint("me", __name__, description="The caller's own account")


@blueprint.get("/me")
@blueprint.response(200, MeSchema)
def show_me() -> dict[str, Any]:
    """Who am I, and which teams am I in?"""
    return _shown(caller())


@blueprint.patch("/me")
@blueprint.arguments(NewNameInput)
@blueprint.response(200, MeSchema)
def rename(changes: dict[str, Any]) -> dict[str, Any]:
    """Change my name."""
    return _shown(rename_user(session(), caller().id, **changes))


@blueprint.post("/me/email")
@blueprint.arguments(NewAddressInput)
@blueprint.response(202, NothingInput)
def set_address(address: dict[str, str]) -> dict[str, Any]:
    """Ask for another address; it is mine when I send back the token that is mailed there."""
    # Whether somebody else has the address cannot be seen from behind the wall.
    with beyond_the_wall(session()):
        ask_for_address(session(), dispatcher(), limits(), caller(), **address)
    return {}


@blueprint.post("/auth/verify-email")
@blueprint.arguments(MailTokenInput)
@blueprint.response(204)
def verify(mailed: dict[str, str]) -> None:
    """Prove that an address is mine, with the token that was mailed there."""
    # It joins the teams whose invitations to the address were accepted.
    with beyond_the_wall(session()):
        verify_address(session(), caller(), mailed["token"], calling_client())


@blueprint.post("/auth/verify-email/resend")
@blueprint.arguments(NothingInput, required=False)
@blueprint.response(202, NothingInput)
def resend_verification(_: dict[str, Any]) -> dict[str, Any]:
    """Have another token mailed to my address."""
    ask_to_verify(session(), dispatcher(), limits(), caller())
    return {}


@blueprint.post("/me/password")
@blueprint.arguments(NewPasswordInput)
@blueprint.response(204)
def set_password(passwords: dict[str, Any]) -> None:
    """Change my password; all my other sessions end."""
    change_password(session(), limits(), caller().id, current_session_id(), **passwords)


@blueprint.delete("/me")
@blueprint.arguments(PasswordInput)
@blueprint.response(204)
def delete_me(proof: dict[str, Any]) -> None:
    """Delete my account, for good; refused while I am the last owner of a team."""
    delete_account(session(), limits(), caller().id, **proof)


def _shown(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "email_verified": user.email_verified_at is not None,
        "name": user.name,
        "created_at": user.created_at,
        "memberships": memberships_of(session(), user.id),
    }
