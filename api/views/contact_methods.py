"""How the caller wants to be told of alerts."""

from __future__ import annotations

from typing import Any

from alertops.services.accounts.contact_methods import contact_methods_of, set_contact_methods
from api.asking import person
from api.blueprints import PeopleBlueprint
from api.extensions import session
from api.schemas.contact_methods import ContactMethodsSchema

blueprint = PeopleBlueprint("contact_methods", __name__, description="How the caller wants to be told")

Methods = dict[str, list[dict[str, Any]]]


@blueprint.get("/me/contact-methods")
@blueprint.response(200, ContactMethodsSchema)
def show() -> Methods:
    """How am I told, where a node names me or a role that I have? None: by e-mail, at once."""
    return {"methods": contact_methods_of(session(), person().id)}


@blueprint.put("/me/contact-methods")
@blueprint.arguments(ContactMethodsSchema)
@blueprint.response(200, ContactMethodsSchema)
def replace(wanted: Methods) -> Methods:
    """Say it anew, for what fires from now on; what is scheduled already goes where it was to go."""
    set_contact_methods(session(), person().id, wanted["methods"])
    return wanted
