"""A notification as a mail: what the recipient reads, and what tells machines a repeat from news."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

from alertops.answer_links import AnswerLinks
from alertops.channels.base import Notification
from alertops.channels.headers import ID_SAFE, message_id, new_message
from alertops.channels.text import one_line

MAX_SUBJECT = 200
MAX_SUMMARY = 2000
MAX_NAME = 200
MAX_VALUE = 1000
MAX_DETAILS = 100


def build_message(notification: Notification, mail_from: str, links: AnswerLinks) -> EmailMessage:
    """The mail for `notification`; its `bytes()` are ready for DATA, but for dot-stuffing.

    Every attempt at one target has the same Message-ID and the same link, by which it is answered. All mails
    of one execution have the same subject and answer the same message (which was never sent), so that a
    mailbox shows one conversation.

    Raises as `new_message` does.
    """
    thread = message_id(notification.execution_id, mail_from)
    message = new_message(notification.address, mail_from, subject_of(notification), notification.key)
    message["In-Reply-To"] = thread
    message["References"] = thread
    message["X-AlertOps-Execution"] = quote(notification.execution_id, safe=ID_SAFE)
    message["X-AlertOps-Step"] = str(notification.step)
    message["X-AlertOps-Target"] = str(notification.target)
    message["X-AlertOps-Attempt"] = str(notification.attempt)
    if notification.stop_token is not None:
        # One click, without an account (RFC 2369 and RFC 8058).
        message["List-Unsubscribe"] = f"<{stop_url(links.public_url, notification.stop_token)}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(body_of(notification, links), charset="utf-8")
    return message


def stop_url(public_url: str, token: str) -> str:
    """Where a POST stops a team's alerts to an address that is no member's."""
    return f"{public_url}/api/v1/stop/{token}"


def subject_of(notification: Notification) -> str:
    """`[severity] summary`: the same for all mails of an execution."""
    text = one_line(f"[{notification.severity}] {notification.summary}", MAX_SUBJECT)
    # "=?" begins an encoded word: left together, a mail program would decode what the text only quotes.
    return one_line(text.replace("=?", "= ?"), MAX_SUBJECT)


def body_of(notification: Notification, links: AnswerLinks) -> str:
    """What the recipient reads: plain text, one fact a line."""
    return "\n".join(_lines(notification, links)) + "\n"


def _lines(notification: Notification, links: AnswerLinks) -> Iterator[str]:
    yield one_line(notification.summary, MAX_SUMMARY)
    yield ""
    if notification.may_repeat:
        yield "This may be a repeat of a message that you have received already."
        yield ""
    yield f"Severity: {one_line(notification.severity, MAX_NAME)}"
    yield f"Team: {one_line(notification.team_name, MAX_NAME)}"
    yield f"Flow: {one_line(notification.flow_name, MAX_NAME)}"
    yield f"Node: {one_line(notification.node_name, MAX_NAME)}"
    yield f"Started: {notification.started_at.astimezone(UTC).isoformat(sep=' ', timespec='seconds')}"
    if notification.details:
        yield ""
        yield "Details"
        yield from detail_lines(notification.details)
    yield ""
    yield "See how it stands, and acknowledge or resolve it, for seven days and without an account:"
    yield links.url_of(notification.key)
    if notification.stop_token is not None:
        yield ""
        yield "You are told because this team alerts this address. To have it stop, without an account:"
        yield f"POST {stop_url(links.public_url, notification.stop_token)}"


def detail_lines(details: Mapping[str, Any]) -> Iterator[str]:
    """One a line, by name; so many of them, and of each so much."""
    shown = sorted(details.items())[:MAX_DETAILS]
    for key, value in shown:
        # default=str: a value that JSON does not know must not keep an alert from being sent.
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
        yield f"{one_line(key, MAX_NAME)}: {one_line(text, MAX_VALUE)}"
    if len(details) > len(shown):
        yield f"... and {len(details) - len(shown)} more"
