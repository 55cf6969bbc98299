"""A moment by which a conversation is over, whatever the other side does.

A socket's timeout holds for each read and write by itself, so that a server which sends a byte now and then
holds its caller for ever. Here every wait gets what remains until one moment.
"""

from __future__ import annotations

import time


class Deadline:
    """A moment on the monotonic clock."""

    def __init__(self, within_seconds: float) -> None:
        self._at = time.monotonic() + within_seconds

    def remaining(self) -> float:
        """Seconds left, more than zero; raise `TimeoutError` when none is."""
        left = self.left()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def left(self) -> float:
        """Seconds left; none, or fewer, when it is over."""
        return self._at - time.monotonic()

    def within(self, seconds: float) -> Deadline:
        """The moment that many seconds from now, or this one if it comes before."""
        return Deadline(min(seconds, self.left()))
