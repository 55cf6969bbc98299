"""What the page of a link says of an alert, in words for somebody who was just woken by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from alertops.channels.text import one_line
from alertops.escalation.states import ExecutionStatus
from alertops.services.tell_story import Happening, Story

MAX_DETAILS = 20
MAX_NAME = 100
MAX_VALUE = 300

_UNITS = (("day", 86400), ("h", 3600), ("min", 60), ("s", 1))

_SENTENCES = {
    "started": "The alert came in",
    "alert_repeated": "The same alert came in again",
    "alert_joined": "Another alert of its group came in",
    "alerts_joined": "There are more and more alerts of its group",
    "step_fired": "It was time to tell “{node}”",
    "nobody_to_tell": "There was nobody to tell at “{node}”",
    "address_refused": "An address at “{node}” is not to be told",
    "address_stopped": "An address asked not to be told any more",
    "step_brought_forward": "Nobody could be reached, so “{node}” does not wait any longer",
    "attempt_scheduled": "“{node}” is to be tried again",
    "attempt_claimed_again": "The message to “{node}” was taken over by another sender",
    "attempt_delivered": "The message to “{node}” was delivered",
    "attempt_failed": "The message to “{node}” could not be delivered",
    "attempt_unknown": "Whether the message to “{node}” arrived is not known",
    "attempt_cancelled": "The message to “{node}” was not sent any more",
    "exhausted": "Everybody was told, and nobody answered",
}
_VERBS = {
    "acknowledged": "acknowledged",
    "resolved": "resolved",
    "cancelled": "cancelled",
    "snoozed": "snoozed",
}


def clock(at: datetime, now: datetime) -> str:
    """The time, with the day when it is not today."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    return f"{at:%H:%M:%S} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def distance(at: datetime, now: datetime) -> str:
    """How far away it is: `40 s ago`, `in 5 min`."""
    words = _length(abs(at - now))
    if words is None:
        return "just now" if at <= now else "now"
    return f"{words} ago" if at <= now else f"in {words}"


def _length(span: timedelta) -> str | None:
    seconds = round(span.total_seconds())
    for unit, length in _UNITS:
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
    return None


def headline(story: Story) -> str:
    """How it stands, in one sentence."""
    if story.status is ExecutionStatus.RUNNING:
        return "Nobody has answered yet."
    turn = story.turn
    if turn is None:
        return f"It is {story.status}."
    when = f"at {clock(turn.at, story.now)}, {distance(turn.at, story.now)}"
    if turn.event in _VERBS:
        return f"{_subject(turn)} {_VERBS[turn.event]} it {when}."
    return f"{sentence(turn)}. It ended {when}."


def _subject(happening: Happening) -> str:
    if happening.is_you:
        return "You"
    return happening.who or "Somebody"


def sentence(happening: Happening) -> str:
    """One entry of the timeline, without its time."""
    if happening.event in _VERBS:
        return f"{_VERBS[happening.event].capitalize()}{_by(happening)}"
    words = _SENTENCES.get(happening.event)
    if words is None:
        return f"{happening.event.replace('_', ' ').capitalize()}{_by(happening)}"
    return words.format(node=happening.node_name or "a node")


def _by(happening: Happening) -> str:
    """`by ann@example.org (you) from the mail`, as much of it as there is."""
    who = happening.who or ("you" if happening.is_you else None)
    by = f" by {who}" if who else ""
    you = " (you)" if happening.is_you and happening.who else ""
    return f"{by}{you}{' from the mail' if 'by_mail' in happening.detail else ''}"


def note(happening: Happening) -> str | None:
    """What somebody wrote with their answer."""
    text = happening.detail.get("note")
    return text if isinstance(text, str) else None


def details(given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What came with the alert, as much of it as is readable on a phone."""
    for name, value in islice(sorted(given.items()), MAX_DETAILS):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        yield one_line(name, MAX_NAME), one_line(text, MAX_VALUE)


def left_out(given: dict[str, Any]) -> int:
    """How many of the details are not shown."""
    return max(0, len(given) - MAX_DETAILS)
