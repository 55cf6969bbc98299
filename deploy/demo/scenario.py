"""The flow of the demo, how its mailboxes behave, and the alerts that run through it."""

from __future__ import annotations

from typing import Any

from deploy.local.smtp_sink import Refuse, SmtpSink

PRIMARY = "primary@example.org"
SECONDARY = "secondary@example.org"
LEAD = "team-lead@example.org"
DIRECTOR = "director@example.org"


def _node(name: str, email: str, delay_seconds: int) -> dict[str, Any]:
    return {
        "name": name,
        "recipient": {"type": "email", "email": email},
        "delay_seconds": delay_seconds,
        "retry": {"max_attempts": 4, "backoff_seconds": 1, "backoff_factor": 2},
    }


FLOW: dict[str, Any] = {
    "name": "On call",
    "description": "Whoever is on call, then their stand-in, then the lead, then the director.",
    "nodes": [
        _node("primary on call", PRIMARY, 1),
        _node("stand-in", SECONDARY, 7),
        _node("team lead", LEAD, 15),
        _node("director", DIRECTOR, 9),
    ],
}

UNANSWERED = {"summary": "db1: disk is full", "severity": "critical", "details": {"host": "db1"}}
ACKNOWLEDGED = {"summary": "checkout: 7 % of requests fail", "severity": "error"}
RESOLVED = {"summary": "api: slow answers", "severity": "warning"}


def script_mailboxes(sink: SmtpSink) -> None:
    """One mailbox is full for a while (two refusals an alert, on average), one does not exist."""
    sink.behave(PRIMARY, Refuse(451, times=6))
    sink.behave(SECONDARY, Refuse(550))
