"""What a recipient came to: whom a step tells, where and when; and who is left out, and why. Data, no I/O.

Each address is told once a step, at the earliest of the times at which it is to be told, and a step tells at
most `MAX_TARGETS`. Both are said, as all that is left out is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from alertops.channels.webhook_url import shown_url

MAX_TARGETS = 50
# Of those who are left out, a timeline names as many, and counts the rest.
MAX_NAMED = 50


class Why(StrEnum):
    """Why somebody, or an address, is left out."""

    NOT_A_MEMBER = "not_a_member"
    NOBODY_WITH_ROLE = "nobody_with_role"
    QUIET = "quiet"
    STOPPED = "stopped"
    UNCONFIRMED = "unconfirmed"
    GONE = "gone"
    DELETED = "deleted"
    TOLD_ALREADY = "told_already"
    TOO_MANY = "too_many"


SENTENCES: Mapping[Why, str] = {
    Why.NOT_A_MEMBER: "is not a member of the team",
    Why.NOBODY_WITH_ROLE: "no member of the team has this role",
    Why.QUIET: "has quiet hours at that time",
    Why.STOPPED: "has asked not to be alerted any more",
    Why.UNCONFIRMED: "has not agreed to be alerted yet",
    Why.GONE: "has said that it is gone (410)",
    Why.DELETED: "the destination has been deleted",
    Why.TOLD_ALREADY: "is told by the same step already",
    Why.TOO_MANY: f"a step tells at most {MAX_TARGETS}",
}


@dataclass(frozen=True)
class Target:
    """A concrete address on a channel, and how long after the step is due it is told.

    With its row when it is no member's, and with whose it is when it is told for being somebody's. What has
    a name is a destination, and its address is its id.
    """

    channel: str
    address: str
    outsider_id: UUID | None = None
    after_seconds: int = 0
    user_id: UUID | None = None
    name: str | None = None

    @property
    def shown(self) -> str:
        """The address as a team may see it."""
        return shown_address(self.channel, self.address)

    @property
    def identity(self) -> tuple[str, str]:
        """Equal for what is the same address. Mailboxes compare without regard to case."""
        return self.channel, self.address.lower() if self.channel == "email" else self.address


def shown_address(channel: str, address: str) -> str:
    """An address as a team may see it: of a URL, where it leads."""
    return shown_url(address) if channel == "webhook" else address


@dataclass(frozen=True)
class Found:
    """A target, and the recipient that it came of, by its JSON pointer in the node."""

    pointer: str
    target: Target


@dataclass(frozen=True)
class LeftOut:
    """Somebody, an address of theirs, or several (`count`) whom this recipient does not tell."""

    pointer: str
    why: Why
    user_id: UUID | None = None
    channel: str | None = None
    address: str | None = None
    count: int = 1


Part = Found | LeftOut


@dataclass(frozen=True)
class Resolution:
    """Whom a step tells, in the order of the targets' numbers, and who is left out."""

    told: tuple[Found, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def targets(self) -> list[Target]:
        return [found.target for found in self.told]

    def nobody(self) -> dict[str, set[Why]]:
        """The recipients that come to nobody, by their pointers, and why.

        Whom another recipient of the node tells already is somebody.
        """
        somebody = {found.pointer for found in self.told}
        somebody |= {each.pointer for each in self.left_out if each.why is Why.TOLD_ALREADY}
        why: dict[str, set[Why]] = {}
        for each in self.left_out:
            if each.pointer not in somebody:
                why.setdefault(each.pointer, set()).add(each.why)
        return why

    def as_json(self) -> dict[str, Any]:
        """For a timeline, or a preview. It does not grow with the team."""
        return {
            "targets": [_told(number, found) for number, found in enumerate(self.told, start=1)],
            "left_out": [_left_out(each) for each in self.left_out[:MAX_NAMED]],
            "more_left_out": sum(each.count for each in self.left_out[MAX_NAMED:]),
        }


def resolution_of(parts: Iterable[Part]) -> Resolution:
    """Put together what the recipients of a node came to, in their order."""
    told: dict[tuple[str, str], Found] = {}
    left_out: list[LeftOut] = []
    for part in parts:
        if isinstance(part, LeftOut):
            left_out.append(part)
            continue
        one, repeated = _earlier(told.get(part.target.identity), part)
        told[part.target.identity] = one
        if repeated is not None:
            target = repeated.target
            spot = (target.user_id, target.channel, target.shown)
            left_out.append(LeftOut(repeated.pointer, Why.TOLD_ALREADY, *spot))
    kept, cut = _within_bounds(list(told.values()))
    return Resolution(tuple(kept), (*left_out, *cut))


def _earlier(known: Found | None, new: Found) -> tuple[Found, Found | None]:
    """Of two that are the same address, the one that is told, and the other one."""
    if known is None:
        return new, None
    if new.target.after_seconds < known.target.after_seconds:
        return _as_both(new, known), known
    return _as_both(known, new), new


def _as_both(told: Found, other: Found) -> Found:
    """It can be stopped if either could be; and it is still told when one of two whose it is has left."""
    one, two = told.target, other.target
    user_id = one.user_id if one.user_id == two.user_id else None
    both = replace(one, outsider_id=one.outsider_id or two.outsider_id, user_id=user_id)
    return replace(told, target=both)


def _within_bounds(found: list[Found]) -> tuple[list[Found], list[LeftOut]]:
    """The earliest ones, in their order: one way for each of many, rather than all ways of a few."""
    by_time = sorted(range(len(found)), key=lambda place: found[place].target.after_seconds)
    kept = set(by_time[:MAX_TARGETS])
    cut = Counter(each.pointer for place, each in enumerate(found) if place not in kept)
    return (
        [each for place, each in enumerate(found) if place in kept],
        [LeftOut(pointer, Why.TOO_MANY, count=count) for pointer, count in cut.items()],
    )


def _told(number: int, found: Found) -> dict[str, Any]:
    target = found.target
    return {
        "target": number,
        "channel": target.channel,
        "address": target.shown,
        "after_seconds": target.after_seconds,
        "user_id": _text(target.user_id),
        "pointer": found.pointer,
        **({} if target.name is None else {"name": target.name}),
    }


def _left_out(each: LeftOut) -> dict[str, Any]:
    return {
        "reason": each.why.value,
        "user_id": _text(each.user_id),
        "channel": each.channel,
        "address": each.address,
        "count": each.count,
        "pointer": each.pointer,
    }


def _text(user_id: UUID | None) -> str | None:
    return None if user_id is None else str(user_id)
