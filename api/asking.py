"""Who asks, and for what: what a view shows at the door of `alertops.services.access`."""

from __future__ import annotations

from typing import cast

from flask import current_app, g, request
from flask_jwt_extended import verify_jwt_in_request

from alertops.services.actor import Actor, Asking, Person
from alertops.services.permissions import Action
from api.client import calling_client
from api.tokens import caller


def require_person() -> None:
    """Somebody must be logged in."""
    verify_jwt_in_request()
    g.actor = Person(caller().id, calling_client())


def require_person_if_any() -> None:
    """Nobody has to be logged in; but who says that they are, must be."""
    verify_jwt_in_request(optional=True)


def require_actor() -> None:
    """A person must be logged in."""
    require_person()


def actor() -> Actor:
    """Who acts in this request."""
    return cast(Actor, g.actor)


def asking() -> Asking:
    """Who acts, and what this route is for."""
    view = current_app.view_functions[str(request.endpoint)]
    action: Action = vars(view)["permits"]
    return Asking(actor(), action)
