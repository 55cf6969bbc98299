"""The flow of the demo, its mailboxes and how they misbehave, and the alerts that run through it."""

from __future__ import annotations

import secrets
from typing import Any

from deploy.local.smtp_sink import Refuse, SmtpSink

# Mailboxes of this run alone: an alert that an interrupted run left behind cannot use up their scripts.
_DOMAIN = f"run-{secrets.token_hex(3)}.example.org"
PRIMARY = f"primary@{_DOMAIN}"
STAND_IN = f"stand-in@{_DOMAIN}"
LEAD = f"team-lead@{_DOMAIN}"
DIRECTOR = f"director@{_DOMAIN}"
NEWCOMER = f"newcomer@{_DOMAIN}"


def _node(name: str, email: str, delay_seconds: int) -> dict[str, Any]:
    return {
        "name": name,
        "recipient": {"type": "email", "email": email},
        "delay_seconds": delay_seconds,
        "retry": {"max_attempts": 4, "backoff_seconds": 1, "backoff_factor": 2},
    }


NODES = [
    _node("primary on call", PRIMARY, 1),
    _node("stand-in", STAND_IN, 7),
    _node("team lead", LEAD, 15),
    _node("director", DIRECTOR, 9),
]

UNANSWERED = {"summary": "db1: disk is full", "severity": "critical", "details": {"host": "db1"}}
ACKNOWLEDGED = {"summary": "checkout: 7 % of requests fail", "severity": "error"}
RESOLVED = {"summary": "api: slow answers", "severity": "warning"}


def script_mailboxes(sink: SmtpSink) -> None:
    """One mailbox is full for a while, which is two refusals for each alert or so; one does not exist."""
    sink.behave(PRIMARY, Refuse(451, times=6))
    sink.behave(STAND_IN, Refuse(550))
