"""The caller's own account."""

from __future__ import annotations

from typing import Any

from alertops.services.memberships import memberships_of
from api.blueprints import MembersBlueprint
from api.extensions import session
from api.schemas.accounts import MeSchema
from api.tokens import caller

blueprint = MembersBlueprint("me", __name__, description="The caller's own account")


@blueprint.get("/me")
@blueprint.response(200, MeSchema)
def show_me() -> dict[str, Any]:
    """Who am I, and which teams am I in?"""
    user = caller()
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "created_at": user.created_at,
        "memberships": memberships_of(session(), user.id),
    }
