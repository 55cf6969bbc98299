"""An event as a webhook's body: what happened to an execution. `docs/events-out.md` describes it.

Whatever is sent under one `webhook-id` has the same body, byte for byte, however often it is tried: all that
is told is of the moment in which it happened, or never changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

# Raised when something is taken away or changes its meaning; what is added does not raise it.
VERSION = 1


@dataclass(frozen=True)
class Event:
    """One entry of a timeline, for one subscriber; `key` is its `webhook-id`."""

    key: str
    url: str = field(repr=False)
    event: str
    at: datetime
    position: int
    execution_id: UUID
    team_id: UUID
    flow_id: UUID
    status: str
    summary: str
    severity: str
    dedup_key: str | None
    step: int | None
    target: int | None
    attempt: int | None
    actor_id: UUID | None
    detail: Mapping[str, Any]
    # What it is signed with, sealed, newest first.
    sealed_secrets: tuple[str, ...] = field(default=(), repr=False)


def build_event_body(event: Event, public_url: str) -> bytes:
    """The body: JSON in ASCII; type, timestamp and data as Standard Webhooks 1.0 has them."""
    return json.dumps(_fields(event, public_url), separators=(",", ":"), default=str).encode("ascii")


def _fields(event: Event, public_url: str) -> Mapping[str, Any]:
    execution = f"{public_url}/api/v1/executions/{quote(str(event.execution_id), safe='')}"
    return {
        "type": f"execution.{event.event}",
        "timestamp": event.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "version": VERSION,
        "data": {
            "execution_id": event.execution_id,
            "team_id": event.team_id,
            "flow_id": event.flow_id,
            "status": event.status,
            "summary": event.summary,
            "severity": event.severity,
            "dedup_key": event.dedup_key,
            "position": event.position,
            "event": event.event,
            "step": event.step,
            "target": event.target,
            "attempt": event.attempt,
            "actor_id": event.actor_id,
            "detail": event.detail,
            "links": {"execution": execution, "timeline": f"{execution}/timeline"},
        },
    }
