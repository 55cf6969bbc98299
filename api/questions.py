"""Asking a server that may hang, without hanging with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from typing import Generic, TypeVar

T = TypeVar("T")

ANSWER_SECONDS = 2


class Question(Generic[T]):
    """One question, which many may ask, each for a bounded time.

    It has one thread: a server that hangs holds that one, not one more with each who asks.
    """

    def __init__(self, name: str, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"ask-{name}")

    def ask(self) -> Answer[T]:
        """Ask, and do not wait yet, so that several can be asked at once."""
        return Answer(self._thread.submit(self._ask))


class Answer(Generic[T]):
    """What comes back, or does not, `ANSWER_SECONDS` after the question was asked."""

    def __init__(self, future: Future[T]) -> None:
        self._future = future
        self._deadline = time.monotonic() + ANSWER_SECONDS

    def wait(self, otherwise: T) -> T:
        """The answer; `otherwise` when there is none in time. Raises what the question raised."""
        try:
            return self._future.result(timeout=max(0.0, self._deadline - time.monotonic()))
        except NotInTimeError:
            # Whoever stands in line behind a question that hangs leaves it.
            self._future.cancel()
            return otherwise
