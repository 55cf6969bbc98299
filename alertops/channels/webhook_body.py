"""A notification as a webhook's body: what a machine reads. `docs/webhooks.md` describes it."""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any
from urllib.parse import quote

from alertops.channels.base import Notification

# Raised when something is taken away or changes its meaning; what is added does not raise it.
VERSION = 1


def build_body(notification: Notification, public_url: str) -> bytes:
    """The body: JSON in ASCII. Attempts at one target differ in `attempt` and `may_repeat` alone."""
    return json.dumps(_fields(notification, public_url), separators=(",", ":"), default=str).encode("ascii")


def _fields(notification: Notification, public_url: str) -> Mapping[str, Any]:
    execution = f"{public_url}/api/v1/executions/{quote(notification.execution_id, safe='')}"
    return {
        "type": "alert.step",
        "version": VERSION,
        "execution": notification.execution_id,
        "step": notification.step,
        "target": notification.target,
        "attempt": notification.attempt,
        "may_repeat": notification.may_repeat,
        "summary": notification.summary,
        "severity": notification.severity,
        "details": notification.details,
        "team": notification.team_name,
        "flow": notification.flow_name,
        "node": notification.node_name,
        "started_at": notification.started_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "links": {
            "execution": execution,
            "timeline": f"{execution}/timeline",
            "acknowledge": f"{execution}/acknowledge",
        },
    }
