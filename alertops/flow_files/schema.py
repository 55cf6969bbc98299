"""What may stand in a file: one JSON Schema (2020-12), which the loader checks with, and which is published.

    alertops flow schema > docs/schemas/flow.schema.json

Limits and defaults are the escalation core's. Two rules that JSON Schema has no words for are said by
keywords of our own, which other programs pass over: `x-duration` (between so many seconds) and `x-distinct`
(no two items with the same value of this member).
"""

from __future__ import annotations

from typing import Any

from alertops.escalation.flow import (
    GROUP_FIELD,
    MAX_ATTEMPTS,
    MAX_BACKOFF_FACTOR,
    MAX_BACKOFF_SECONDS,
    MAX_BUDGET_SECONDS,
    MAX_DELAY_SECONDS,
    MAX_GROUP_FIELD,
    MAX_GROUP_FIELDS,
    MAX_GROUP_WINDOW_SECONDS,
    MAX_NODES,
    MAX_REPEAT,
    MAX_TIMEOUT_SECONDS,
    MIN_ACK_TIMEOUT_SECONDS,
    MIN_GROUP_WINDOW_SECONDS,
    MIN_RESOLVE_AFTER_SECONDS,
    USUAL_GROUP_WINDOW_SECONDS,
    OnFailure,
    OnUnknown,
    RetryPolicy,
)
from alertops.flow_files import durations

Schema = dict[str, Any]

ROLES = ("owner", "admin", "member", "viewer")
MAX_RECIPIENTS = 10
MAX_ADDRESS = 254
MAX_URL = 2000

_usual = RetryPolicy()


def flow_schema() -> Schema:
    """The schema of one file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://alertops.example/schemas/flow.schema.json",
        "title": "AlertOps flow",
        "description": "One escalation: nodes that fire in order until somebody acknowledges.",
        **_object(
            {
                "name": _NAME | {"description": "What the flow is called; a team has one flow of a name."},
                "description": {"type": "string", "maxLength": 2000, "default": ""},
                "repeat": _whole(0, MAX_REPEAT, 0, "How often the nodes are run again when nobody answers."),
                "ack_timeout": _duration_or_never(
                    MIN_ACK_TIMEOUT_SECONDS,
                    MAX_TIMEOUT_SECONDS,
                    "Acknowledged and not resolved for so long: it comes back.",
                ),
                "resolve_after": _duration_or_never(
                    MIN_RESOLVE_AFTER_SECONDS,
                    MAX_TIMEOUT_SECONDS,
                    "Resolved by itself so long after the alert.",
                ),
                "group_by": {
                    "description": "Alerts that say the same there join one execution.",
                    "type": "array",
                    "items": {"type": "string", "maxLength": MAX_GROUP_FIELD, "pattern": GROUP_FIELD},
                    "maxItems": MAX_GROUP_FIELDS,
                    "uniqueItems": True,
                    "default": [],
                },
                "group_window": _duration(
                    MIN_GROUP_WINDOW_SECONDS,
                    MAX_GROUP_WINDOW_SECONDS,
                    "For so long an execution takes in alerts of its group.",
                    USUAL_GROUP_WINDOW_SECONDS,
                ),
                "nodes": {
                    "type": "array",
                    "items": {"$ref": "#/$defs/node"},
                    "minItems": 1,
                    "maxItems": MAX_NODES,
                    "x-distinct": "name",
                },
            },
            required=["name", "nodes"],
        ),
        "$defs": {"node": _node(), "retry": _retry(), "recipient": _recipient(), **_kinds()},
    }


def _node() -> Schema:
    return _object(
        {
            "name": _NAME
            | {"description": "What the node is known by; a node of the same name is the same node."},
            "recipient": {"$ref": "#/$defs/recipient"},
            "delay": _duration(0, MAX_DELAY_SECONDS, "From the node before, or the alert, until it fires."),
            "retry": {"$ref": "#/$defs/retry"},
            "on_failure": _choice(OnFailure, OnFailure.ESCALATE, "When nobody could be reached."),
            "on_unknown": _choice(OnUnknown, OnUnknown.RESEND, "When nobody can say whether it arrived."),
        },
        required=["name", "recipient", "delay"],
    )


def _retry() -> Schema:
    pause = (1, MAX_BACKOFF_SECONDS)
    return _object(
        {
            "max_attempts": _whole(
                1, MAX_ATTEMPTS, _usual.max_attempts, "Tries at one target, the first included."
            ),
            "backoff": _duration(*pause, "Pause before the second try.", _usual.backoff_seconds),
            "backoff_factor": _number(
                1, MAX_BACKOFF_FACTOR, _usual.backoff_factor, "Each pause to the one before."
            ),
            "max_backoff": _duration(*pause, "No pause is longer.", _usual.max_backoff_seconds),
            "jitter": _number(0, 1, _usual.jitter, "The share of a pause that chance may take away."),
            "budget": _duration_or_never(1, MAX_BUDGET_SECONDS, "No try so long after the first was due."),
        }
    )


def _recipient() -> Schema:
    kinds = [*_kinds()]
    return {
        "description": "Who is told. Several are a group, and are told at once.",
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": kinds}},
        "allOf": [
            {
                "if": {"required": ["type"], "properties": {"type": {"const": kind}}},
                "then": {"$ref": f"#/$defs/{kind}"},
            }
            for kind in kinds
        ],
    }


def _kinds() -> dict[str, Schema]:
    """The kinds of recipient, by their `type`."""
    address = {"type": "string", "pattern": r"^[^@\s]+@[^@\s]+$", "maxLength": MAX_ADDRESS}
    id_ = {
        "type": "string",
        "format": "uuid",
        "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    }
    url = {"type": "string", "pattern": r"^https?://\S+$", "maxLength": MAX_URL}
    one = {"$ref": "#/$defs/recipient", "properties": {"type": {"not": {"const": "group"}}}}
    group = {"type": "array", "items": one, "minItems": 2, "maxItems": MAX_RECIPIENTS, "uniqueItems": True}
    user = _kind("user", {"email": address, "user_id": id_}, [])
    return {
        "email": _kind("email", {"email": address}, ["email"]),
        "user": user | {"oneOf": [{"required": ["email"]}, {"required": ["user_id"]}]},
        "role": _kind("role", {"role": {"enum": [*ROLES]}}, ["role"]),
        "webhook": _kind("webhook", {"url": url}, ["url"]),
        "destination": _kind("destination", {"destination_id": id_}, ["destination_id"]),
        "group": _kind("group", {"recipients": group}, ["recipients"]),
    }


def _kind(name: str, members: dict[str, Schema], required: list[str]) -> Schema:
    return _object({"type": {"const": name}, **members}, required=["type", *required])


_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": r"\S"}


def _object(properties: dict[str, Schema], required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required or [],
        "additionalProperties": False,
    }


def _whole(least: int, most: int, default: int, words: str) -> Schema:
    limits = {"type": "integer", "minimum": least, "maximum": most}
    return {"description": words, **limits, "default": default}


def _number(least: float, most: float, default: float, words: str) -> Schema:
    limits = {"type": "number", "minimum": least, "maximum": most}
    return {"description": words, **limits, "default": default}


def _choice(choices: type[OnFailure] | type[OnUnknown], default: str, words: str) -> Schema:
    return {"description": words, "enum": [choice.value for choice in choices], "default": str(default)}


def _duration(least: int, most: int, words: str, default: int | None = None) -> Schema:
    schema = {
        "description": f"{words} Such as 90s, 5m, 1h30m, 2d.",
        "type": ["string", "integer"],
        "pattern": durations.PATTERN,
        "minimum": 0,
        "maximum": 0,
        "x-duration": [least, most],
    }
    return schema if default is None else schema | {"default": durations.to_text(default)}


def _duration_or_never(least: int, most: int, words: str) -> Schema:
    schema = _duration(least, most, words)
    return schema | {"type": [*schema["type"], "null"], "default": None}
