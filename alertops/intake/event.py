"""An event: what one monitoring system tells of one alert, in words that are the same for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from alertops.intake.limits import MAX_KEY, MAX_TEXT


class Source(StrEnum):
    """The kinds of monitoring systems that there is a door for."""

    PAGERDUTY = "pagerduty"
    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    GENERIC = "generic"
    CLOUDEVENTS = "cloudevents"


class Action(StrEnum):
    """What an event says of its alert."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


@dataclass(frozen=True)
class Event:
    """Under the same key, within a flow, a trigger opens or joins, and the other actions end what is open.

    `labels` are what rules may ask for by name; `details` is plain JSON, for people to read.
    """

    action: Action
    dedup_key: str
    summary: str = ""  # of a trigger alone
    severity: str = "critical"
    labels: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None


class Described(Protocol):
    """What rules and groups can ask for: of an event, or of the alert that it becomes."""

    @property
    def summary(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def dedup_key(self) -> str | None: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def details(self) -> Mapping[str, Any]: ...


class InvalidEventError(Exception):
    """The request is no event of its kind; `faults` are pointers, and what is wrong there."""

    def __init__(self, *faults: tuple[str, str]) -> None:
        self.faults = faults
        super().__init__("; ".join(sentence for _, sentence in faults))


def short(text: str, limit: int = MAX_TEXT) -> str:
    """The text, cut with a mark where it is too long."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def fitting_key(text: str) -> str:
    """The key as it is, or, where it is too long, its beginning and what tells it from all others."""
    if len(text) <= MAX_KEY:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return text[: MAX_KEY - len(digest) - 1] + "#" + digest


def instant(value: Any) -> datetime | None:
    """The time that a text tells in RFC 3339; None when it is none."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        told = datetime.fromisoformat(value)
    except ValueError:
        return None
    return told if told.tzinfo else None
