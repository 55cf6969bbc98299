"""A circuit breaker: after repeated failure, do not even try for a while.

A broker that refuses connections costs nothing, but one that hangs costs every request its publish
timeout. After a few failures in a row callers are told no at once; when the rest is over, one of them
tries, and the others wait for how that ends (M. Nygard, "Release It!", 2007).

::

    closed ──failures in a row──▶ open ──rest is over──▶ trying ──success──▶ closed
                                   ▲                        │
                                   └────────failure─────────┘
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Circuit:
    """Shared by threads. Every admitted call must be followed by `succeeded` or `failed`."""

    def __init__(
        self,
        *,
        failures: int = 3,
        rest_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._rest = rest_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_again_at = 0.0

    def admits(self) -> bool:
        """Whether to try. After a rest, only the first caller is admitted; it opens or closes the rest."""
        with self._lock:
            if self._failures < self._limit:
                return True
            if self._clock() < self._closed_again_at:
                return False
            self._closed_again_at = self._clock() + self._rest
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._closed_again_at = self._clock() + self._rest
