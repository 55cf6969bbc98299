"""A channel that tells of each conversation: up to the point of no return, and beyond it.

Whom it speaks to is not told, nor what is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from alertops import tracing
from alertops.channels.base import Channel, ChannelError, Delivery, Notification, Receipt


def telling(channels: Mapping[str, Channel]) -> Mapping[str, Channel]:
    """The channels themselves, where nothing is told."""
    if not tracing.is_on():
        return channels
    return {name: TellingChannel(channel) for name, channel in channels.items()}


class TellingChannel(Channel):
    """Speaks as the other does."""

    def __init__(self, channel: Channel) -> None:
        self.name = channel.name
        self._channel = channel

    @contextmanager
    def open(self, notification: Notification, *, within_seconds: float) -> Iterator[Delivery]:
        with ExitStack() as conversation:
            with _told("open", self.name):
                opening = self._channel.open(notification, within_seconds=within_seconds)
                delivery = conversation.enter_context(opening)
            yield _TellingDelivery(delivery, self.name)


class _TellingDelivery:
    def __init__(self, delivery: Delivery, channel: str) -> None:
        self._delivery = delivery
        self._channel = channel

    def transmit(self, *, within_seconds: float) -> Receipt:
        with _told("transmit", self._channel):
            return self._delivery.transmit(within_seconds=within_seconds)


@contextmanager
def _told(name: str, channel: str) -> Iterator[None]:
    with tracing.inside(name, kind="client") as span:
        span.note(channel=channel)
        try:
            yield
        except ChannelError as error:
            span.note(permanent=error.permanent, certainty=error.certainty.value)
            raise
