"""Blueprints: strict arguments on all, and one kind whose every route needs an access token."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import flask_smorest
from flask_jwt_extended import verify_jwt_in_request

from api.body import StrictParser

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


class MembersBlueprint(Blueprint):
    """A blueprint whose routes are for people who are logged in; no view has to remember to ask."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, url_prefix=PREFIX, **kwargs)
        self.before_request(_require_access_token)


def _require_access_token() -> None:
    verify_jwt_in_request()


def _document_problems(doc: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
    doc.setdefault("responses", {}).setdefault("default", "DEFAULT_ERROR")
    return doc
