"""Values against the schema: every fault at its place, in a sentence that says what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from alertops.flow_files import durations
from alertops.flow_files.faults import Fault, Path
from alertops.flow_files.parse import Document
from alertops.flow_files.schema import flow_schema


def faults_of(document: Document) -> list[Fault]:
    """What is wrong with the document, from its first line to its last."""
    found = {
        (path, sentence)
        for error in _validator().iter_errors(document.value)
        for path, sentence in _told(error)
    }
    faults = [document.fault(path, sentence) for path, sentence in found]
    return sorted(faults, key=lambda fault: (fault.place is not None, fault.place, str(fault)))


@cache
def _validator() -> Any:
    keywords = {"x-duration": _duration, "x-distinct": _distinct}
    return validators.extend(Draft202012Validator, keywords)(flow_schema())


def _duration(_: Any, limits: list[int], value: Any, __: Any) -> Iterator[ValidationError]:
    seconds = durations.to_seconds(value) if isinstance(value, str | int) else None
    if seconds is not None and not limits[0] <= seconds <= limits[1]:
        yield ValidationError("out of bounds")


def _distinct(_: Any, member: str, items: Any, __: Any) -> Iterator[ValidationError]:
    seen: list[Any] = []
    for position, item in enumerate(items if isinstance(items, list) else []):
        value = item.get(member) if isinstance(item, dict) else None
        if isinstance(value, str) and value in seen:
            yield ValidationError("repeated", path=(position, member), instance=value)
        seen.append(value)


def _told(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """Where the error is, and what it is; of one about missing or unknown members, each of these."""
    path: Path = tuple(error.absolute_path)
    schema: Any = error.schema
    if "x-duration" in schema:
        yield path, _about_duration(error)
    elif error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        yield from ((path, f"`{name}` is missing.") for name in missing)
    elif error.validator == "additionalProperties":
        unknown = [name for name in error.instance if name not in schema["properties"]]
        yield from (((*path, name), _about_unknown(name, schema["properties"])) for name in unknown)
    else:
        sentence = _SENTENCES.get(str(error.validator), lambda error: f"{error.message}.")
        yield path, sentence(error)


def _about_duration(error: ValidationError) -> str:
    schema: Any = error.schema
    if error.validator == "x-duration":
        least, most = map(durations.to_text, schema["x-duration"])
        return f"Must be from {least} to {most}."
    if error.validator == "maximum":
        return f"Say the unit: {error.instance}s, {error.instance}m or {error.instance}h."
    return "Must be a duration, such as 90s, 5m or 1h30m."


def _about_unknown(name: str, known: dict[str, Any]) -> str:
    bare = name.removesuffix("_seconds")
    if bare != name and bare in known:
        return f"In files it is `{bare}`, with a unit: `{bare}: 5m`."
    return f"Unknown; known here: {', '.join(known)}."


_KINDS = {
    "string": "text; put it in quotes",
    "integer": "a whole number",
    "number": "a number",
    "object": "members with names",
    "array": "a list",
}


def _about_type(error: ValidationError) -> str:
    return f"Must be {_KINDS[error.validator_value]}."


def _about_oneof(_: ValidationError) -> str:
    return "Name the user by `email`, or by `user_id`; one of them."


def _about_pattern(error: ValidationError) -> str:
    if error.validator_value == r"\S":
        return "Must not be blank."
    if "group_by" in error.absolute_path:
        return "Must be severity, summary, labels.<name> or details.<path>."
    name = error.absolute_path[-1]
    return (
        f"Not {'a URL of http or https' if name == 'url' else 'an address' if name == 'email' else 'an id'}."
    )


_SENTENCES: dict[str, Callable[[ValidationError], str]] = {
    "type": _about_type,
    "oneOf": _about_oneof,
    "pattern": _about_pattern,
    "enum": lambda error: f"Must be one of: {', '.join(error.validator_value)}.",
    "not": lambda _: "A group cannot have a group in it.",
    "minimum": lambda error: f"Must be at least {error.validator_value}.",
    "maximum": lambda error: f"Must be at most {error.validator_value}.",
    "minLength": lambda _: "Must not be empty.",
    "maxLength": lambda error: f"Must have at most {error.validator_value} characters.",
    "minItems": lambda error: f"Must have at least {error.validator_value}.",
    "maxItems": lambda error: f"Must have at most {error.validator_value}.",
    "uniqueItems": lambda error: (
        "Names a field twice." if "group_by" in error.absolute_path else "Names somebody twice."
    ),
    "x-distinct": lambda error: f"Another node is called {error.instance!r} too.",
}
