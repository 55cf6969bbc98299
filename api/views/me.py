"""The caller's own account."""

from __future__ import annotations

from typing import Any

from alertops.models import User
from alertops.services.change_password import change_password
from alertops.services.delete_account import delete_account
from alertops.services.memberships import memberships_of
from alertops.services.rename_user import rename_user
from api.blueprints import PeopleBlueprint
from api.extensions import limits, session
from api.schemas.accounts import MeSchema, NewNameInput, NewPasswordInput, PasswordInput
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
        "name": user.name,
        "created_at": user.created_at,
        "memberships": memberships_of(session(), user.id),
    }
