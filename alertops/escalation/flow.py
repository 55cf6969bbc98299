"""A flow as data: what a team writes, what a revision freezes, what the engine runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_NODES = 50
MAX_REVISIONS = 10_000
MAX_REPEAT = 9
MAX_DELAY_SECONDS = 30 * 24 * 3600
MAX_ATTEMPTS = 20
MAX_BACKOFF_SECONDS = 24 * 3600
MAX_BACKOFF_FACTOR = 10.0
MAX_BUDGET_SECONDS = 7 * 24 * 3600
# Shorter than this, and whoever acknowledges is asked again before they have read what it is about.
MIN_ACK_TIMEOUT_SECONDS = 60
MIN_RESOLVE_AFTER_SECONDS = 60
MAX_TIMEOUT_SECONDS = 90 * 24 * 3600
MAX_GROUP_FIELDS = 10
MAX_GROUP_FIELD = 200
# What alerts can be grouped by; their keys are what tells them apart.
GROUP_FIELD = r"^(severity|summary|(labels|details)\.[^\n]+)$"
MIN_GROUP_WINDOW_SECONDS = 10
MAX_GROUP_WINDOW_SECONDS = 24 * 3600
USUAL_GROUP_WINDOW_SECONDS = 300


class OnFailure(StrEnum):
    """What to do when no target of a node could be reached."""

    ESCALATE = "escalate"  # the next node fires at once: nobody was told, so nobody can answer
    WAIT = "wait"  # the next node keeps its planned time


class OnUnknown(StrEnum):
    """What to do when a message may or may not have been received."""

    RESEND = "resend"  # send again under the same key, so that the receiver can tell
    HOLD = "hold"  # do not risk a duplicate; counts as not reached


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and after which pauses, one target is tried. Pauses are in seconds.

    `jitter` is the share of a pause, from 0 to 1, by which chance may shorten it. No attempt is made later
    than `budget_seconds` after the first one was due; None is no such limit.
    """

    max_attempts: int = 3
    backoff_seconds: int = 10
    backoff_factor: float = 2.0
    max_backoff_seconds: int = 300
    jitter: float = 0.2
    budget_seconds: int | None = None


@dataclass(frozen=True)
class Node:
    """One position in a flow. `recipient` is as in the API: `{"type": ..., ...}`.

    `id` stays the same through revisions, so that an edit can tell a moved node from a new one.
    """

    id: str
    name: str
    recipient: Mapping[str, Any]
    delay_seconds: int
    retry: RetryPolicy = RetryPolicy()
    on_failure: OnFailure = OnFailure.ESCALATE
    on_unknown: OnUnknown = OnUnknown.RESEND


@dataclass(frozen=True)
class Flow:
    """Ordered nodes, run once and then `repeat` times more; and what people call it.

    An execution that was acknowledged and is not resolved comes back after `ack_timeout_seconds`; one that is
    not over `resolve_after_seconds` after its alert is resolved by itself. None is never.

    Alerts that say the same in all fields of `group_by` are taken in by the execution that the first of them
    opened, for `group_window_seconds`. No fields, no groups.
    """

    nodes: tuple[Node, ...]
    repeat: int = 0
    name: str = ""
    description: str = ""
    ack_timeout_seconds: int | None = None
    resolve_after_seconds: int | None = None
    group_by: tuple[str, ...] = ()
    group_window_seconds: int = USUAL_GROUP_WINDOW_SECONDS

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError("a flow needs at least one node")
        if self.repeat < 0:
            raise ValueError("repeat cannot be negative")


def flow_from_json(data: Mapping[str, Any]) -> Flow:
    """Read a frozen definition; the inverse of `flow_to_json`."""
    return Flow(
        nodes=tuple(node_from_json(node) for node in data["nodes"]),
        repeat=data["repeat"],
        # Earlier releases did not freeze these, and may still be writing while this one reads.
        name=data.get("name", ""),
        description=data.get("description", ""),
        ack_timeout_seconds=data.get("ack_timeout_seconds"),
        resolve_after_seconds=data.get("resolve_after_seconds"),
        group_by=tuple(data.get("group_by", ())),
        group_window_seconds=data.get("group_window_seconds", USUAL_GROUP_WINDOW_SECONDS),
    )


def flow_to_json(flow: Flow) -> dict[str, Any]:
    """The definition as plain JSON, for a revision."""
    return {
        "name": flow.name,
        "description": flow.description,
        "repeat": flow.repeat,
        "ack_timeout_seconds": flow.ack_timeout_seconds,
        "resolve_after_seconds": flow.resolve_after_seconds,
        "group_by": list(flow.group_by),
        "group_window_seconds": flow.group_window_seconds,
        "nodes": [node_to_json(node) for node in flow.nodes],
    }


def node_from_json(data: Mapping[str, Any]) -> Node:
    """Read a node of a frozen definition; the inverse of `node_to_json`."""
    return Node(
        id=data["id"],
        name=data["name"],
        recipient=data["recipient"],
        delay_seconds=data["delay_seconds"],
        retry=RetryPolicy(**data["retry"]),
        on_failure=OnFailure(data["on_failure"]),
        on_unknown=OnUnknown(data["on_unknown"]),
    )


def node_to_json(node: Node) -> dict[str, Any]:
    """The node as plain JSON."""
    return {
        "id": node.id,
        "name": node.name,
        "recipient": dict(node.recipient),
        "delay_seconds": node.delay_seconds,
        "retry": vars(node.retry).copy(),
        "on_failure": node.on_failure.value,
        "on_unknown": node.on_unknown.value,
    }
