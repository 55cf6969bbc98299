"""What the API's own description says of its bodies, so that attacks on them need no list of routes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask

JSON = "application/json"
API = "/api/v1/"


@dataclass(frozen=True)
class Body:
    """The body that one operation takes."""

    method: str
    path: str
    schema: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Spot:
    """A place in a body, as a JSON pointer, with what is described to be there."""

    pointer: str
    schema: dict[str, Any]

    def body_with(self, value: Any) -> dict[str, Any]:
        """A body with nothing in it but this value, and what leads to it."""
        built, parts = value, self.pointer.split("/")[1:]
        for place, part in reversed([*enumerate(parts)]):
            within = parts[place - 1] if part == "0" else part
            if isinstance(built, dict):
                built = {**_kind(within, built), **built}
            built = [built] if part == "0" else {part: built}
        return dict(built)


def _kind(within: str, members: dict[str, Any]) -> dict[str, str]:
    """What an object that may be of several kinds has to say to be of one with these members."""
    match within:
        case "recipient":
            return {"type": "group" if "recipients" in members else "user"}
        case "recipients":
            return {"type": "user"}
        case "methods":
            return {"channel": "webhook" if "url" in members else "email"}
        case _:
            return {}


def document(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = app.test_client().get("/openapi.json").json or {}
    return found


def bodies(app: Flask) -> list[Body]:
    """Every body of the API, with its schema resolved."""
    described = document(app)
    found = [
        Body(method.upper(), path, resolved(described, operation["requestBody"]["content"][JSON]["schema"]))
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
        # The doors of monitoring systems pass over what they do not know, and take no ids (test_doors.py).
        if isinstance(operation, dict) and "requestBody" in operation and path.startswith(API)
    ]
    assert len(found) >= 15
    return found


def resolved(described: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without references; ours are not recursive."""
    while "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return {
        key: {name: resolved(described, inner) for name, inner in value.items()}
        if key == "properties"
        else resolved(described, value)
        if key == "items"
        else [resolved(described, inner) for inner in value]
        if key in ("oneOf", "anyOf", "allOf")
        else value
        for key, value in schema.items()
    }


def spots(schema: dict[str, Any], pointer: str = "") -> Iterator[Spot]:
    """Every place in the body, the body itself first."""
    yield Spot(pointer, schema)
    for name, inner in schema.get("properties", {}).items():
        yield from spots(inner, f"{pointer}/{name}")
    if "items" in schema:
        yield from spots(schema["items"], f"{pointer}/0")
    for kind in ("oneOf", "anyOf", "allOf"):
        for inner in schema.get(kind, []):
            yield from (spot for spot in spots(inner, pointer) if spot.pointer != pointer)


def read_only_names(app: Flask) -> set[str]:
    """All names that occur in the description, of whatever can be told; somebody might try to set them."""
    schemas = document(app)["components"]["schemas"].values()
    return {name for schema in schemas for name in schema.get("properties", {})}
