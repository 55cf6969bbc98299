"""Severities and states as other systems call them, in our words."""

from __future__ import annotations

from alertops.intake.event import Action

_SEVERITIES = {
    "critical": ("critical", "crit", "fatal", "emergency", "emerg", "disaster", "page", "p1", "sev1"),
    "error": ("error", "err", "high", "major", "p2", "sev2"),
    "warning": ("warning", "warn", "medium", "minor", "average", "p3", "sev3"),
    "info": ("info", "information", "informational", "notice", "low", "debug", "none", "p4", "p5", "sev4"),
}
_ACTIONS = {
    Action.TRIGGER: (
        "trigger",
        "triggered",
        "firing",
        "alerting",
        "alert",
        "open",
        "opened",
        "problem",
        "down",
    ),
    Action.ACKNOWLEDGE: ("acknowledge", "acknowledged", "ack"),
    Action.RESOLVE: ("resolve", "resolved", "ok", "closed", "close", "recovery", "recovered", "normal", "up"),
}
_SEVERITY_OF = {word: severity for severity, words in _SEVERITIES.items() for word in words}
_ACTION_OF = {word: action for action, words in _ACTIONS.items() for word in words}

# What nobody can place is taken to be the worst: it wakes somebody, who sees the word.
UNPLACED = "critical"


def severity_of(word: object) -> str:
    """Our severity for theirs; `critical` when they say none, or one that is not known."""
    return _SEVERITY_OF.get(word.strip().lower(), UNPLACED) if isinstance(word, str) else UNPLACED


def action_of(word: object) -> Action | None:
    """Our action for their state; None when it is not known."""
    return _ACTION_OF.get(word.strip().lower()) if isinstance(word, str) else None
