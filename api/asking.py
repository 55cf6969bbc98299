"""Who asks, and for what: what a view shows at the door of `alertops.services.access.door`."""

from __future__ import annotations

from typing import cast

from flask import Response, current_app, g, request
from flask_jwt_extended import verify_jwt_in_request

from alertops.errors import AuthenticationError, ForbiddenError
from alertops.services.access.actor import Actor, Asking, Person
from alertops.services.access.api_key_text import PREFIX
from alertops.services.access.authenticate_key import authenticate_key
from alertops.services.access.permissions import Action
from api.client import calling_client
from api.extensions import session
from api.tokens import caller, invalid_token


def require_person() -> None:
    """Somebody must be logged in."""
    if _presented_key() is not None:
        raise ForbiddenError("This is for people who are logged in; a key acts for its team alone.")
    verify_jwt_in_request()
    g.actor = Person(caller().id, calling_client())


def require_person_if_any() -> None:
    """Nobody has to be logged in; but who says that they are, must be."""
    verify_jwt_in_request(optional=True)


def require_actor() -> Response | None:
    """A person must be logged in, or a program must show its key; else this returns the answer."""
    key = _presented_key()
    if key is None:
        require_person()
        return None
    try:
        g.actor = authenticate_key(session(), key, calling_client())
    except AuthenticationError:
        return invalid_token()
    return None


def _presented_key() -> str | None:
    """What came as bearer token, if it means to be an API key."""
    given = request.authorization
    token = (given.token or "") if given and given.type == "bearer" else ""
    return token if token.startswith(PREFIX) else None


def person() -> Person:
    """Who acts in this request, on a route that is for people."""
    return cast(Person, g.actor)


def actor() -> Actor:
    """Who acts in this request."""
    return cast(Actor, g.actor)


def asking() -> Asking:
    """Who acts, and what this route is for."""
    view = current_app.view_functions[str(request.endpoint)]
    action: Action = vars(view)["permits"]
    return Asking(actor(), action)
