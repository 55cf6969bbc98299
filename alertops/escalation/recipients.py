"""Recipients as data: whom a node tells, one or several at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Recipient = Mapping[str, Any]

MIN_GROUP = 2
MAX_GROUP = 10


def singles(recipient: Recipient, pointer: str = "/recipient") -> Iterator[tuple[str, Recipient]]:
    """The recipient itself, or those of a group; each with the JSON pointer to it."""
    if recipient["type"] == "group":
        for place, member in enumerate(recipient["recipients"]):
            yield f"{pointer}/recipients/{place}", member
    else:
        yield pointer, recipient


def all_singles(recipients: Iterable[Recipient]) -> Iterator[Recipient]:
    """Those of all of them, as they come."""
    return (single for recipient in recipients for _, single in singles(recipient))


def addresses_named(recipient: Recipient) -> frozenset[str] | None:
    """The addresses that it names; None when it names people too, who may have any."""
    named = [
        single.get("email") or single.get("url") or single.get("destination_id")
        for _, single in singles(recipient)
    ]
    return None if None in named else frozenset(str(address) for address in named)
