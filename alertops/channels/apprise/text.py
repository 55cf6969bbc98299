"""A notification as people read it in a chat or on a telephone: what matters first, for some cut the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from urllib.parse import quote

from alertops.channels.base import Notification
from alertops.channels.message import MAX_NAME, MAX_SUMMARY, detail_lines
from alertops.channels.text import one_line

MAX_TITLE = 200
MAX_TEXT = 4000


def title_of(notification: Notification) -> str:
    """`[severity] summary`: the same for all messages of an execution."""
    return one_line(f"[{notification.severity}] {notification.summary}", MAX_TITLE)


def text_of(notification: Notification, public_url: str) -> str:
    """One fact a line; the key is the same at each attempt, so that people can tell a repeat from news."""
    text = "\n".join(_lines(notification, public_url))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _lines(notification: Notification, public_url: str) -> Iterator[str]:
    if notification.may_repeat:
        yield "This may be a repeat of a message that you have received already."
    if len(notification.summary) > MAX_TITLE:
        yield one_line(notification.summary, MAX_SUMMARY)
    yield f"Team: {one_line(notification.team_name, MAX_NAME)}"
    yield f"Flow: {one_line(notification.flow_name, MAX_NAME)}"
    yield f"Node: {one_line(notification.node_name, MAX_NAME)}"
    yield f"Started: {notification.started_at.astimezone(UTC).isoformat(sep=' ', timespec='seconds')}"
    yield f"Execution: {public_url}/api/v1/executions/{quote(notification.execution_id, safe='')}"
    yield f"Message: {notification.key}"
    if notification.details:
        yield "Details"
        yield from detail_lines(notification.details)
