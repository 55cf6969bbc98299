"""Problems: every error of every route as RFC 9457 `application/problem+json`.

A fault in a body names its place with a JSON pointer (`{"pointer": "/nodes/0/name", "detail": ...}`),
one in the query string names the parameter (`{"parameter": "limit", "detail": ...}`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Response, jsonify

# A body can hold a hundred thousand unknown fields; nobody reads more than the first few.
MAX_FAULTS = 50


@dataclass(frozen=True)
class BodyFault:
    """Something wrong in the body, at this JSON pointer."""

    pointer: str
    detail: str


@dataclass(frozen=True)
class ParameterFault:
    """Something wrong with this parameter of the query string."""

    parameter: str
    detail: str


Fault = BodyFault | ParameterFault


class InvalidRequestError(Exception):
    """The request is understood, but says what it must not; `faults` says where."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = faults
        super().__init__("the request is not valid")


def problem(
    status: int,
    detail: str,
    *,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """The problem as a response; `members` are further members of the document."""
    response = jsonify(
        {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "errors": [vars(fault) for fault in faults[:MAX_FAULTS]],
            **members,
        }
    )
    response.status_code = status
    response.headers.update(headers or {})
    response.content_type = "application/problem+json"
    return response


def pointer_to(parent: str, key: str | int) -> str:
    """The JSON pointer (RFC 6901) to a member of what `parent` points to."""
    return f"{parent}/{str(key).replace('~', '~0').replace('/', '~1')}"


def body_faults(messages: Any, pointer: str = "") -> Iterator[BodyFault]:
    """The messages of marshmallow, which nest as the body does, as a flat list of faults."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            # Under `_schema`, marshmallow tells what is wrong with the object as a whole.
            yield from body_faults(inner, pointer if key == "_schema" else pointer_to(pointer, key))
    else:
        for detail in messages:
            yield BodyFault(pointer, str(detail))
