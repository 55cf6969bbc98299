"""Which flow an event is for: the first rule that fits, or the integration's own flow.

    {"when": {"severity": "warning", "labels.team": {"one_of": ["db", "storage"]}}, "flow_id": ...}

A rule fits when each of its fields does. A flow that is archived starts nothing, so a rule that leads to one
is passed over: an alert is for whoever comes next, and never for nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from uuid import UUID

from alertops.intake.event import Described, Event

FIELDS = ("severity", "summary", "dedup_key")
LABEL, DETAIL = "labels.", "details."

Matcher = str | Mapping[str, Any]
"""A text that the field equals; or one of `one_of`, a list of them, and `like`, with `*`, `?` and `[...]`."""


@dataclass(frozen=True)
class Rule:
    """What must be so, by field, and where the event goes then."""

    when: Mapping[str, Matcher]
    flow_id: UUID


@dataclass(frozen=True)
class Route:
    """Where an event goes, and by which rule, counted from 0; None is the default."""

    flow_id: UUID
    rule: int | None


def rule_of(stored: Mapping[str, Any]) -> Rule:
    """A rule, from JSON."""
    return Rule(stored["when"], UUID(stored["flow_id"]))


def route(rules: Sequence[Rule], default: UUID, event: Event, archived: Collection[UUID] = ()) -> Route:
    """Where the event goes."""
    for place, rule in enumerate(rules):
        if rule.flow_id not in archived and fits(rule, event):
            return Route(rule.flow_id, place)
    return Route(default, None)


def fits(rule: Rule, event: Event) -> bool:
    """Whether all that the rule asks for is so."""
    return all(_fits(matcher, value_of(event, name)) for name, matcher in rule.when.items())


def value_of(event: Described, name: str) -> str | None:
    """What the event says under this name of a field; None when it says nothing there."""
    if name in FIELDS:
        value: Any = getattr(event, name)
    elif name.startswith(LABEL):
        value = event.labels.get(name.removeprefix(LABEL))
    else:
        value = _walk(event.details, name.removeprefix(DETAIL).split("."))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def is_field(name: str) -> bool:
    """Whether rules can ask for it."""
    return name in FIELDS or any(name.startswith(of) and len(name) > len(of) for of in (LABEL, DETAIL))


def _walk(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _fits(matcher: Matcher, value: str | None) -> bool:
    if value is None:
        return False
    if isinstance(matcher, str):
        return value == matcher
    if "one_of" in matcher:
        return value in matcher["one_of"]
    return fnmatchcase(value, matcher["like"])
