"""How to read what comes in a shape of the sender's own: a JMESPath expression for each part of an event.

Whoever sends, and whoever writes the mapping, may mean harm to the process that evaluates it. So an
expression is looked at when it is declared: what it makes of a document must not be many times as large.
JMESPath has no loops but those over the document. What can make more of it is copying, by a list or hash of
one's own, so one of these is allowed; joining by a text that comes with the document, so that must be written
out; and packing texts into texts again and again, so there is no function that makes a list of one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from alertops.intake.document import UNSTORABLE

MAX_EXPRESSION = 300
PARTS = ("events", "summary", "severity", "dedup_key", "action", "labels", "details")

_TEXTS = ("contains", "ends_with", "join", "starts_with", "to_string")
_FUNCTIONS = frozenset((*_TEXTS, "keys", "length", "not_null", "type", "values"))
_COPYING = ("multi_select_list", "multi_select_dict")
_MAX_NODES = 100

Mapped = Mapping[str, str]
"""An expression for each part that is declared."""


class MappingError(Exception):
    """The document does not fit an expression; the sentence says which and why."""


def faults_of(expression: str) -> list[str]:
    """What is wrong with an expression; nothing when it can be declared."""
    if len(expression) > MAX_EXPRESSION:
        return [f"Longer than {MAX_EXPRESSION} characters."]
    try:
        root = _compiled(expression).parsed
    # A RecursionError is one of brackets in brackets; a ValueError of a literal that is no JSON.
    except (JMESPathError, RecursionError, ValueError) as error:
        return [f"Not a JMESPath expression: {str(error).splitlines()[0] if str(error) else 'too deep'}"]
    nodes = [*_nodes(root)]
    if len(nodes) > _MAX_NODES:
        return ["Has too many parts."]
    found = [*_refused(nodes)]
    if sum(node["type"] in _COPYING for node in nodes) > 1:
        found.append("Makes more than one list or hash of its own.")
    return found


def evaluate(mapping: Mapped, part: str, document: Any) -> Any:
    """What the document says there; None when the part is not declared, or nothing is there."""
    expression = mapping.get(part)
    if expression is None:
        return None
    try:
        return _compiled(expression).search(document)
    except (JMESPathError, RecursionError) as error:
        raise MappingError(f"`{part}` cannot be read: {error}") from error


@lru_cache(maxsize=1000)
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


def _nodes(root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += [child for child in node["children"] if isinstance(child, dict)]


def _storable(value: Any) -> bool:
    """Whether what an expression says by itself can be stored; what it finds was looked at when it came."""
    try:
        written = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except ValueError:
        return False
    return "\\u0000" not in written and not UNSTORABLE.search(written)


def _refused(nodes: list[Mapping[str, Any]]) -> Iterator[str]:
    for node in nodes:
        if not _storable(node.get("value")):
            yield "Says what cannot be stored: NUL, half a character, or no number."
        if node["type"] == "expref":
            yield "References to expressions (`&`) are not taken."
        if node["type"] != "function_expression":
            continue
        if node["value"] not in _FUNCTIONS:
            yield f"The function {node['value']} is not one of: {', '.join(sorted(_FUNCTIONS))}."
        elif node["value"] == "join" and node["children"] and node["children"][0]["type"] != "literal":
            yield "`join` takes a text that is written out, such as join('/', ...)."
