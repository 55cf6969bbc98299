"""Reading a request: a JSON object that the database can store, or named faults. Nothing is coerced."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NoReturn

import marshmallow as ma
from flask import Request
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from api.problems import (
    MAX_FAULTS,
    BodyFault,
    Fault,
    InvalidRequestError,
    ParameterFault,
    body_faults,
    pointer_to,
)

MAX_LEVELS = 20  # of objects and arrays within the body

# What JSON can say and a text of Postgres cannot hold: NUL, and halves of surrogate pairs.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class StrictParser(FlaskParser):
    """Parses the arguments of a view; unknown names are faults in the query string too."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": ma.RAISE}  # noqa: RUF012  read from the class

    def load_json(self, req: Request, schema: ma.Schema) -> dict[str, Any]:
        return read_object(req)

    def load_querystring(self, req: Request, schema: ma.Schema) -> dict[str, Any]:
        # A repeated parameter stays a list, so that its field refuses it.
        return {name: v[0] if len(v) == 1 else v for name, v in req.args.lists()}

    def handle_error(self, error: ma.ValidationError, req: Request, *_: Any, **__: Any) -> NoReturn:
        raise InvalidRequestError(list(islice(_faults(error.messages_dict), MAX_FAULTS))) from error


def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; no body counts as an empty one."""
    raw = request.get_data()
    # A chunked body is cut at the limit without a word; reading on is what raises 413.
    request.stream.read(1)
    if not raw:
        return {}
    if not request.is_json:
        raise UnsupportedMediaType("The body must be JSON, sent as application/json.")
    document = _parse(raw)
    if not isinstance(document, dict):
        raise InvalidRequestError([BodyFault("", "Must be a JSON object.")])
    if faults := list(islice(_unstorable(document), MAX_FAULTS)):
        raise InvalidRequestError(faults)
    return document


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode(), parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.") from error
    # Also undecodable bytes, and an integer of more digits than Python converts.
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _unstorable(document: dict[str, Any]) -> Iterator[BodyFault]:
    """What cannot be stored, and where. A loop with a stack: nesting must not become recursion."""
    stack: list[tuple[str, int, Any]] = [("", 0, document)]
    while stack:
        pointer, level, value = stack.pop()
        if isinstance(value, str):
            if _UNSTORABLE.search(value):
                yield BodyFault(pointer, "Must not contain NUL or lone surrogate characters.")
        elif isinstance(value, dict | list):
            if level > MAX_LEVELS:
                yield BodyFault(pointer, f"Must not be nested more than {MAX_LEVELS} levels deep.")
                continue
            for key, inner in _members(value):
                if isinstance(key, str) and _UNSTORABLE.search(key):
                    yield BodyFault(pointer, "Names must not contain NUL or lone surrogate characters.")
                stack.append((pointer_to(pointer, key), level + 1, inner))


def _members(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
    return iter(value.items()) if isinstance(value, dict) else enumerate(value)


def _faults(messages: Mapping[str, Any]) -> Iterator[Fault]:
    for location, inner in messages.items():
        if location == "json":
            yield from body_faults(inner)
        else:
            for name, details in inner.items():
                yield from (ParameterFault(name, str(detail)) for detail in details)
