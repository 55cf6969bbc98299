"""Anything, read as a mapping says; without one, what is already in our words is taken.

    {"summary": "alert.title", "severity": "alert.level", "dedup_key": "alert.id",
     "action": "alert.state", "labels": "alert.tags", "details": "@"}

`events` names a list in the document: each member is then an event, and the other expressions are of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any
from uuid import uuid4

from alertops.intake.event import Action, Event, InvalidEventError, fitting_key, short
from alertops.intake.limits import MAX_EVENTS, MAX_LABELS
from alertops.intake.mapping import Mapped, MappingError, evaluate
from alertops.intake.words import action_of, severity_of

DEFAULT: Mapped = {
    "summary": "summary",
    "severity": "severity",
    "dedup_key": "dedup_key",
    "action": "action",
    "labels": "labels",
    "details": "details",
}


def read_events(document: Any, mapping: Mapped) -> list[Event]:
    """The events in the document; `InvalidEventError` with all that is wrong with it."""
    events: list[Event] = []
    faults: list[tuple[str, str]] = []
    for pointer, part in _parts(document, mapping):
        try:
            events.append(read_one(part, mapping))
        except InvalidEventError as error:
            faults += [(pointer + place, sentence) for place, sentence in error.faults]
    if faults:
        raise InvalidEventError(*faults[:50])
    return events


def read_one(document: Any, mapping: Mapped, otherwise: Mapping[str, Any] | None = None) -> Event:
    """The one event that this is; where the mapping finds nothing, it says what `otherwise` does."""
    try:
        said = {part: evaluate(mapping, part, document) for part in DEFAULT}
    except MappingError as error:
        raise InvalidEventError(("", str(error))) from error
    said |= {part: value for part, value in (otherwise or {}).items() if said[part] is None}
    action = _action(said["action"])
    key = _text(said["dedup_key"])
    if key is None and action is not Action.TRIGGER:
        raise InvalidEventError(("", f"`dedup_key` finds nothing: what is there to {action}?"))
    key = fitting_key(key) if key else uuid4().hex
    if action is not Action.TRIGGER:
        return Event(action, key, labels=_labels(said["labels"]))
    summary = _text(said["summary"])
    if summary is None:
        raise InvalidEventError(("", "`summary` finds no text."))
    return Event(
        action,
        key,
        summary=short(summary),
        severity=severity_of(_text(said["severity"])),
        labels=_labels(said["labels"]),
        details=_details(said["details"]),
    )


def _parts(document: Any, mapping: Mapped) -> list[tuple[str, Any]]:
    if "events" not in mapping:
        return [("", document)]
    try:
        found = evaluate(mapping, "events", document)
    except MappingError as error:
        raise InvalidEventError(("", str(error))) from error
    if not isinstance(found, list):
        raise InvalidEventError(("", "`events` finds no list."))
    if len(found) > MAX_EVENTS:
        raise InvalidEventError(("", f"More than {MAX_EVENTS} events: send them in several requests."))
    return [(f"/{place}", part) for place, part in enumerate(found)]


def _action(word: Any) -> Action:
    if word is None:
        return Action.TRIGGER
    action = action_of(word)
    if action is None:
        raise InvalidEventError(("", "`action` finds none of: trigger, acknowledge, resolve."))
    return action


def _text(value: Any) -> str | None:
    """What can be read as a text, and is not blank."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    texts = ((name, _text(text)) for name, text in value.items())
    return dict(islice(((name, text) for name, text in texts if text is not None), MAX_LABELS))


def _details(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    return dict(value) if isinstance(value, Mapping) else {"details": value}
