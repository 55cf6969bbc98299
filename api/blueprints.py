"""Blueprints: strict arguments on all; two kinds need a token, of a person, or of a member or a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import flask_smorest

from alertops.services.access.permissions import Action
from alertops.services.access.wall import raise_the_wall
from api.asking import actor, require_actor, require_person
from api.body import StrictParser
from api.extensions import session
from api.once import PARAMETER, begin_once, end_once

PREFIX = "/api/v1"

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest has no types
    """A blueprint with strict arguments, which documents that errors are problems."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_document_problems)

    if TYPE_CHECKING:  # the decorators of flask-smorest, as they are used here

        def get(self, rule: str) -> Decorator: ...
        def post(self, rule: str) -> Decorator: ...
        def put(self, rule: str) -> Decorator: ...
        def patch(self, rule: str) -> Decorator: ...
        def delete(self, rule: str) -> Decorator: ...
        def arguments(self, schema: type[Any], *, location: str = ..., required: bool = ...) -> Decorator: ...
        def response(
            self, status: int, schema: type[Any] | dict[str, Any] | None = ..., **doc: Any
        ) -> Decorator: ...
        def alt_response(self, status: int, **doc: Any) -> Decorator: ...
        def doc(self, **doc: Any) -> Decorator: ...


class PeopleBlueprint(Blueprint):
    """A blueprint whose routes are for people who are logged in; no view has to remember to ask."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, url_prefix=PREFIX, **kwargs)
        self.before_request(require_person)
        self.before_request(_wall_off)
        _do_posts_once(self)


class TeamBlueprint(Blueprint):
    """A blueprint of what belongs to a team: for its members, and for programs with one of its keys.

    Each route `permits` one action. What is asked for, and by whom, is what `api.asking` gives the views to
    show at the door; a route that names no action gets nothing through it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, url_prefix=PREFIX, **kwargs)
        self.before_request(require_actor)
        self.before_request(_wall_off)
        _do_posts_once(self)

    def permits(self, action: Action, *, at_times: Sequence[Action] = ()) -> Decorator:
        """The route is for those who may do this; what it asks for `at_times` too, the service asks."""

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            # flask-smorest wraps views and keeps their attributes.
            vars(view).update(permits=action, permits_at_times=tuple(at_times))
            documented: Callable[..., Any] = self.doc(**_permission(action, at_times))(view)
            return documented

        return decorate


def _do_posts_once(blueprint: Blueprint) -> None:
    """A POST that is sent again under its `Idempotency-Key` does nothing again."""
    blueprint.before_request(begin_once)
    blueprint.after_request(end_once)
    blueprint._prepare_doc_cbks.append(_document_key)


def _document_key(doc: dict[str, Any], *_: Any, method: str, **__: Any) -> dict[str, Any]:
    if method.upper() == "POST":
        doc.setdefault("parameters", []).append(PARAMETER)
    return doc


def _wall_off() -> None:
    """For the rest of the request, the database shows no rows but those of the actor's teams."""
    raise_the_wall(session(), actor())


def _permission(action: Action, at_times: Sequence[Action]) -> dict[str, Any]:
    doc = {"x-permission": action.value, "responses": {"403": "FORBIDDEN", "404": "NOT_FOUND"}}
    return {**doc, "x-permission-at-times": [*at_times]} if at_times else doc


def _document_problems(doc: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
    doc.setdefault("responses", {}).setdefault("default", "DEFAULT_ERROR")
    return doc
