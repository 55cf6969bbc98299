"""PagerDuty's Events API v2: what an event and a change must say, in the words of that API's errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from alertops.intake.event import Action, Event, InvalidEventError, instant, short
from alertops.intake.limits import MAX_KEY, MAX_TEXT

MAX_BYTES = 512 * 1024
SEVERITIES = ("critical", "error", "warning", "info")

_ROUTING_KEY = re.compile("[A-Za-z0-9]{32}", re.ASCII)
# What rules may ask for by name.
_LABELS = ("source", "component", "group", "class")
_ABOUT = ("client", "client_url", "links", "images")

Faults = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Change:
    """A change event: it is recorded, and alerts nobody."""

    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None


def routing_key(document: Any, given: str | None = None) -> str:
    """The key that the body names, or the one that came in a header."""
    body = _object(document)
    key = body.get("routing_key", given)
    if isinstance(key, str) and _ROUTING_KEY.fullmatch(key):
        return key
    if key is None:
        raise InvalidEventError(("/routing_key", "'routing_key' is missing or blank"))
    raise InvalidEventError(("/routing_key", "'routing_key' must be 32 alphanumeric characters"))


def read_event(document: Any) -> Event:
    """The event; `InvalidEventError` with all that is wrong with it."""
    body = _object(document)
    if faults := [*_event_faults(body)]:
        raise InvalidEventError(*faults)
    action = Action(body["event_action"])
    key = body.get("dedup_key") or uuid4().hex
    if action is not Action.TRIGGER:
        return Event(action, key)
    payload = body["payload"]
    return Event(
        action,
        key,
        summary=short(payload["summary"]),
        severity=payload["severity"],
        labels={name: payload[name] for name in _LABELS if isinstance(payload.get(name), str)},
        details=_details(body, payload, (*_LABELS, "custom_details", "timestamp")),
        occurred_at=instant(payload.get("timestamp")),
    )


def read_change(document: Any) -> Change:
    """The change; `InvalidEventError` with all that is wrong with it."""
    body = _object(document)
    if faults := [*_payload_faults(body, ("summary",))]:
        raise InvalidEventError(*faults)
    payload = body["payload"]
    details = _details(body, payload, ("source", "custom_details", "timestamp"))
    return Change(short(payload["summary"]), details, instant(payload.get("timestamp")))


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise InvalidEventError(("", "event must be a JSON object"))
    return document


def _event_faults(body: Mapping[str, Any]) -> Faults:
    action, key = body.get("event_action"), body.get("dedup_key")
    if action not in [*Action]:
        words = ", ".join(Action)
        yield "/event_action", f"'event_action' is missing or invalid (must be one of: {words})"
    if key is not None and not (isinstance(key, str) and len(key) <= MAX_KEY):
        yield "/dedup_key", f"'dedup_key' must be a string of at most {MAX_KEY} characters"
    elif not key and action in (Action.ACKNOWLEDGE, Action.RESOLVE):
        yield "/dedup_key", f"'dedup_key' is required for {action} events"
    if action == Action.TRIGGER:
        yield from _payload_faults(body, ("summary", "source"))
        payload = body.get("payload")
        if isinstance(payload, dict) and payload.get("severity") not in SEVERITIES:
            words = ", ".join(SEVERITIES)
            yield "/payload/severity", f"'payload.severity' is missing or invalid (must be one of: {words})"


def _payload_faults(body: Mapping[str, Any], required: tuple[str, ...]) -> Faults:
    payload = body.get("payload")
    if not isinstance(payload, dict):
        yield "/payload", "'payload' is missing or not an object"
        return
    for name in required:
        value = payload.get(name)
        if not (isinstance(value, str) and value.strip()):
            yield f"/payload/{name}", f"'payload.{name}' is missing or blank"
    if isinstance(payload.get("summary"), str) and len(payload["summary"]) > MAX_TEXT:
        yield "/payload/summary", f"'payload.summary' is longer than {MAX_TEXT} characters"


def _details(body: Mapping[str, Any], payload: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """What there is to know beside summary and severity; what is empty is left out."""
    named = {name: payload.get(name) for name in names} | {name: body.get(name) for name in _ABOUT}
    return {name: value for name, value in named.items() if value not in (None, "", [], {})}
