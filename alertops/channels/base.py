"""What every channel offers: a conversation with a point of no return.

A send has two halves, because only one of them is safe to repeat::

    open(notification)  ->  Delivery          everything up to the point of no return;
                                              a failure here is certain: nothing was sent
    Delivery.transmit() ->  Receipt           the message itself; a failure here may be
                                              uncertain: the provider may have taken it

Between the two, the caller records that it is about to transmit, so that a process that dies in
`transmit` leaves a trace (RFC 1047 describes why this window cannot be closed altogether).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True)
class Notification:
    """One message for one target, with all that a channel may show or put in a header.

    `key` is the idempotency key: the same for every attempt at this target, so that a receiver can
    recognise a repeat. `may_repeat` is true when an earlier attempt may have been received already.
    """

    key: str
    address: str
    execution_id: str
    step: int
    target: int
    attempt: int
    summary: str
    severity: str
    details: Mapping[str, Any]
    team_name: str
    flow_name: str
    node_name: str
    started_at: datetime
    may_repeat: bool = False
    # For an address that is no member's: what stops further alerts. Never logged.
    stop_token: str | None = field(default=None, repr=False)
    # What a webhook is signed with, sealed, newest first.
    sealed_secrets: tuple[str, ...] = field(default=(), repr=False)
    # Of a destination its URL, sealed; the address names it. None when it has been deleted.
    sealed_address: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Receipt:
    """What the provider said when it accepted the message, kept for the timeline."""

    detail: str


class Certainty(StrEnum):
    """How a failed send is known to have ended."""

    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@dataclass(eq=False)
class ChannelError(Exception):
    """A send failed; `permanent` says that trying again cannot help.

    `certainty` is UNKNOWN only when the provider may have accepted the message all the same.
    """

    detail: str
    permanent: bool = False
    certainty: Certainty = field(default=Certainty.NOT_SENT)
    # How long the provider asks to be left alone.
    not_before_seconds: float = 0.0
    # The provider says that there is nobody any more, and never will be.
    gone: bool = False

    def __str__(self) -> str:
        return self.detail


class Delivery(Protocol):
    """An open conversation, one step before the point of no return."""

    def transmit(self, *, within_seconds: float) -> Receipt:
        """Send the message; raise `ChannelError` when the provider did not take it.

        Every network wait is bounded so that the call returns within about `within_seconds`.
        """
        ...


class Channel(Protocol):
    """A way to reach a target."""

    name: str

    def open(self, notification: Notification, *, within_seconds: float) -> AbstractContextManager[Delivery]:
        """Connect and speak up to the point of no return; raise `ChannelError` when that fails.

        Leaving the context closes the conversation, whether or not the message was transmitted.
        """
        ...
