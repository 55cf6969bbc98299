"""The published description is what the code says, and says enough for who makes a client from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from api.description import description, page

PUBLISHED = Path(__file__).parents[2] / "docs" / "openapi.json"
METHODS = ("get", "put", "post", "patch", "delete")

SUMMARY = re.compile(r"[A-Z].*[.?]")

DOCUMENT = description()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if method in METHODS
}


def resolved(described: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in described:
        return described
    found: Any = DOCUMENT
    for step in described["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return resolved(found)


def test_the_published_description_is_what_the_code_says() -> None:
    assert PUBLISHED.read_text() == page(), "run: python -m api.description > docs/openapi.json"


def test_the_api_serves_what_is_published(client: FlaskClient) -> None:
    assert client.get("/openapi.json").json == DOCUMENT


def test_every_operation_has_a_name_of_its_own() -> None:
    names = Counter(operation["operationId"] for operation in OPERATIONS.values())
    assert [name for name, count in names.items() if count > 1 or not name.isidentifier()] == []


def test_every_operation_says_what_it_is() -> None:
    described = {tag["name"] for tag in DOCUMENT["tags"] if tag.get("description")}
    silent = [
        name
        for name, operation in OPERATIONS.items()
        if len(operation["tags"]) != 1
        or not described.issuperset(operation["tags"])
        or not SUMMARY.fullmatch(operation["summary"])
    ]
    assert silent == []


def test_every_operation_says_what_each_answer_is() -> None:
    """One that is taken, and any problem; each with words, and each problem as RFC 9457 has it."""
    for name, operation in OPERATIONS.items():
        answers = {status: resolved(answer) for status, answer in operation["responses"].items()}
        assert [status for status, answer in answers.items() if not answer.get("description")] == [], name
        assert [status for status in answers if status.startswith("2")] != [], name
        assert list(answers["default"]["content"]) == ["application/problem+json"], name


def test_every_parameter_says_its_type() -> None:
    untyped = [
        f"{name}: {parameter['name']}"
        for name, operation in OPERATIONS.items()
        for parameter in map(resolved, operation.get("parameters", []))
        if not typed(parameter["schema"])
    ]
    assert untyped == []


def test_every_path_says_the_type_of_its_parameters() -> None:
    for path, operations in DOCUMENT["paths"].items():
        told = {p["name"] for p in map(resolved, operations.get("parameters", [])) if typed(p["schema"])}
        assert told == {part.partition("}")[0] for part in path.split("{")[1:]}, path


def test_every_part_of_every_schema_says_its_type() -> None:
    untyped = [
        f"{name}{place}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for place, part in parts(schema)
        if not typed(part)
    ]
    assert untyped == []


def typed(schema: dict[str, Any]) -> bool:
    return bool(schema.keys() & {"type", "$ref", "oneOf", "allOf", "anyOf", "enum", "const"})


def parts(schema: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The schema, its properties, its items, and theirs."""
    yield place, schema
    for name, inner in schema.get("properties", {}).items():
        yield from parts(inner, f"{place}/{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(inner := schema.get(name), dict) and inner:
            yield from parts(inner, f"{place}/{name}")
