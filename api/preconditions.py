"""Conditional requests (RFC 9110, 8.8.3 and 13.1.1): a change says which version it was made for."""

from __future__ import annotations

import re

from flask import request
from werkzeug.exceptions import BadRequest, PreconditionRequired

# Commas are allowed within a tag, so the list cannot simply be split at them.
_ANY = re.compile(r"[ \t]*\*[ \t]*")
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_STRONG = re.compile(r'(W/)?"([^"]*)"')

# What the description says of a route that changes something under a condition.
CONDITIONAL = {
    "parameters": [
        {
            "in": "header",
            "name": "If-Match",
            "required": True,
            "schema": {"type": "string"},
            "example": '"3"',
            "description": "The ETag that the flow had when you read it; `*` stands for whichever it has.",
        }
    ],
    "responses": {"412": "PRECONDITION_FAILED", "428": "PRECONDITION_REQUIRED"},
}
ETAG = {"ETag": {"description": "The flow's version, for If-Match.", "schema": {"type": "string"}}}


def etag(version: str) -> str:
    """The version as a strong entity tag."""
    return f'"{version}"'


def versions_seen() -> frozenset[str] | None:
    """The versions that this request's If-Match names; None: it says that any will do.

    Weak tags are left out: by strong comparison they match nothing, so that a list of them is of no version.
    Raises 428 without the header, and 400 when it is not one.
    """
    header = request.headers.get("If-Match", "")
    if not header.strip():
        raise PreconditionRequired("A change needs If-Match, with the ETag of the flow as you have seen it.")
    if _ANY.fullmatch(header):
        return None
    if not _TAGS.fullmatch(header):
        raise BadRequest('If-Match must be entity tags in quotes, such as "3", or *.')
    return frozenset(tag for weak, tag in _STRONG.findall(header) if not weak)
