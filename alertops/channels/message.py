"""A notification as a mail: what the recipient reads, and what tells machines a repeat from news."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from alertops.channels.address import ascii_address
from alertops.channels.base import ChannelError, Notification
from alertops.channels.text import one_line

MAX_SUBJECT = 200
MAX_SUMMARY = 2000
MAX_NAME = 200
MAX_VALUE = 1000
MAX_DETAILS = 100

# What RFC 5322 allows in the left part of a Message-ID beside letters, digits and "_.-~". The % is
# left out, so that escaping keeps different keys different.
_ID_SAFE = "!#$&'*+/=?^`{|}"


class _MailPolicy(EmailPolicy):
    """SMTP line ends, 7-bit bodies, and headers that arrive as they were set.

    The library's own folding breaks long identifiers and addresses (it makes encoded words of them)
    and doubles spaces in a long subject. So nothing is folded: every header is ASCII and far below
    the 998 characters of a line, but for a subject that needs encoded words.
    """

    def fold(self, name: str, value: Any) -> str:
        if str(value).isascii():
            return f"{name}: {value}{self.linesep}"
        words = Header(str(value), "utf-8", header_name=name).encode(linesep=self.linesep)
        return f"{name}: {words}{self.linesep}"

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("ascii")


_POLICY = _MailPolicy(linesep="\r\n", cte_type="7bit")


def build_message(notification: Notification, mail_from: str) -> EmailMessage:
    """The mail for `notification`; its `bytes()` are ready for DATA, but for dot-stuffing.

    Every attempt at one target has the same Message-ID. All mails of one execution have the same
    subject and answer the same message (which was never sent), so that a mailbox shows one
    conversation. The Date is the time of building and only informs: an attempt's repeat has a later one.

    Raises `ChannelError` (permanent) when the recipient's address cannot be mailed, and `ValueError`
    when `mail_from` cannot be.
    """
    sender = ascii_address(mail_from)
    domain = sender.rpartition("@")[2]
    thread = _message_id(notification.execution_id, domain)

    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = _recipient(notification.address)
    message["Subject"] = subject_of(notification)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = _message_id(notification.key, domain)
    message["In-Reply-To"] = thread
    message["References"] = thread
    message["Auto-Submitted"] = "auto-generated"
    message["X-AlertOps-Execution"] = quote(notification.execution_id, safe=_ID_SAFE)
    message["X-AlertOps-Step"] = str(notification.step)
    message["X-AlertOps-Target"] = str(notification.target)
    message["X-AlertOps-Attempt"] = str(notification.attempt)
    message.set_content(body_of(notification), charset="utf-8")
    return message


def subject_of(notification: Notification) -> str:
    """`[severity] summary`: the same for all mails of an execution."""
    text = one_line(f"[{notification.severity}] {notification.summary}", MAX_SUBJECT)
    # "=?" begins an encoded word: left together, a mail program would decode what the text only quotes.
    return one_line(text.replace("=?", "= ?"), MAX_SUBJECT)


def body_of(notification: Notification) -> str:
    """What the recipient reads: plain text, one fact a line."""
    return "\n".join(_lines(notification)) + "\n"


def _lines(notification: Notification) -> Iterator[str]:
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
        yield from _detail_lines(notification.details)
    yield ""
    yield "To acknowledge, and stop the escalation:"
    yield f"POST /api/v1/executions/{quote(notification.execution_id, safe='')}/acknowledge"


def _detail_lines(details: Mapping[str, Any]) -> Iterator[str]:
    shown = sorted(details.items())[:MAX_DETAILS]
    for key, value in shown:
        # default=str: a value that JSON does not know must not keep an alert from being sent.
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
        yield f"{one_line(key, MAX_NAME)}: {one_line(text, MAX_VALUE)}"
    if len(details) > len(shown):
        yield f"... and {len(details) - len(shown)} more"


def _recipient(address: str) -> str:
    try:
        return ascii_address(address)
    except ValueError as error:
        raise ChannelError(one_line(str(error), 500), permanent=True) from error


def _message_id(left: str, domain: str) -> str:
    return f"<{quote(left, safe=_ID_SAFE)}@{domain}>"
