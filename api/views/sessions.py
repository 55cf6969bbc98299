"""Where the caller is logged in, and logging out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alertops.errors import NotFoundError
from alertops.services.accounts.end_sessions import end_all_sessions, end_session
from alertops.services.accounts.open_session import sessions_of
from api.blueprints import PeopleBlueprint
from api.extensions import session
from api.schemas.accounts import SessionsSchema
from api.schemas.nothing import NothingInput
from api.tokens import caller, current_session_id

blueprint = PeopleBlueprint("sessions", __name__, description="Where the caller is logged in")


@blueprint.post("/auth/logout")
@blueprint.arguments(NothingInput, required=False)
@blueprint.response(204)
def logout(_: dict[str, Any]) -> None:
    """Log out here: the tokens of this session end at once."""
    end_session(session(), caller().id, current_session_id())


@blueprint.post("/auth/logout-everywhere")
@blueprint.arguments(NothingInput, required=False)
@blueprint.response(204)
def logout_everywhere(_: dict[str, Any]) -> None:
    """Log out on all devices, this one included."""
    end_all_sessions(session(), caller().id)
    session().commit()


@blueprint.get("/me/sessions")
@blueprint.response(200, SessionsSchema)
def list_sessions() -> dict[str, Any]:
    """List where I am logged in, what was used last first."""
    current = current_session_id()
    return {
        "items": [
            {**vars(opened), "current": opened.id == current}
            for opened in sessions_of(session(), caller().id)
        ]
    }


@blueprint.delete("/me/sessions/<uuid:session_id>")
@blueprint.response(204)
def delete_session(session_id: UUID) -> None:
    """Log out on that device."""
    if not end_session(session(), caller().id, session_id):
        raise NotFoundError("There is no such session, or none that you may see.")
