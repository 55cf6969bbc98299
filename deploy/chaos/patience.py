"""A user tries the same again after an error, as a monitoring system does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import requests

T = TypeVar("T")

PAUSE_SECONDS = 0.5
GIVE_UP_SECONDS = 90.0


class Patience:
    """How long users try: until told to stop, or for so long that nobody would wait for it."""

    def __init__(self) -> None:
        self.stopping = threading.Event()

    def persistently(self, work: Callable[[], T]) -> T | None:
        """Try again after no answer or a 5xx, the same each time; None when it took too long."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline and not self.stopping.is_set():
            try:
                return work()
            except requests.HTTPError as error:
                if error.response.status_code < 500:
                    raise
            except (requests.RequestException, ValueError):
                pass  # no answer, or half of one: whether it was heard is not known
            time.sleep(PAUSE_SECONDS)
        return None
