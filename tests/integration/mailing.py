"""Sending through the email channel, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from alertops.answer_links import AnswerLinks
from alertops.channels.base import Certainty, Channel, ChannelError, Notification, Receipt
from alertops.channels.email import EmailChannel
from alertops.channels.mailer import Mailer, SmtpSettings
from tests.api_environment import LINK_KEY

MAILBOX = "ops@example.com"
PLENTY = 10.0
# A budget that runs out in the test, and the most that such a call may take on a busy machine.
SHORT, NOT_LONG = 0.3, 3.0


def notification(**changes: Any) -> Notification:
    usual = Notification(
        key="execution-1.1.1",
        address=MAILBOX,
        execution_id="execution-1",
        step=1,
        target=1,
        attempt=1,
        summary="Disk full",
        severity="critical",
        details={"path": ".hidden", "note": "🔥"},
        team_name="Storage",
        flow_name="Nights",
        node_name="First",
        started_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    return replace(usual, **changes)


def mailer(port: int, **changes: Any) -> Mailer:
    usual: dict[str, Any] = {"host": "127.0.0.1", "port": port, "security": "none"}
    account = {"username": None, "password": None, "mail_from": "alerts@example.org"}
    return Mailer(SmtpSettings(**(usual | account | changes)))


def channel(port: int, *, over: Mailer | None = None, **changes: Any) -> Channel:
    return EmailChannel(over or mailer(port, **changes), AnswerLinks("https://alertops.test", [LINK_KEY]))


def send(
    over: Channel, sent: Notification | None = None, *, opening: float = PLENTY, sending: float = PLENTY
) -> Receipt:
    with over.open(sent or notification(), within_seconds=opening) as delivery:
        return delivery.transmit(within_seconds=sending)


def failure(*args: Any, **kwargs: Any) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        send(*args, **kwargs)
    return caught.value


def outcome(error: ChannelError) -> tuple[Certainty, str]:
    return error.certainty, "permanent" if error.permanent else "temporary"


TEMPORARY = (Certainty.NOT_SENT, "temporary")
PERMANENT = (Certainty.NOT_SENT, "permanent")
UNCERTAIN = (Certainty.UNKNOWN, "temporary")
