"""A worker that a test leads by the hand: through real services, from one stop to the next.

A strand runs a service in a thread and a session of its own. At the fault points where it was told to
stop it stands still, with its transaction open or between two of them, until it is told to go on, or
dies. Meanwhile other strands can run, so that any interleaving of transactions can be had.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from queue import Empty, Queue
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from alertops.faults import Line, Point

PATIENCE_SECONDS = 30
POLL_SECONDS = 0.002

# In the middle of a transaction, with the execution's row locked.
INSIDE = frozenset(
    {
        Point.BEFORE_FIRE,
        Point.BEFORE_CLAIM,
        Point.BEFORE_CLOSE,
        Point.BEFORE_TRANSMIT_MARK,
        Point.BEFORE_OUTCOME,
        Point.BEFORE_ANSWER,
    }
)
# Between the transactions of a send.
BETWEEN = frozenset({Point.AFTER_OPEN, Point.AFTER_TRANSMIT_MARK, Point.AFTER_TRANSMIT})

_here = threading.local()


class WorkerDiedError(BaseException):
    """Like a kill: nothing in the services catches it, and nothing after it happens."""


def reach(point: Point, _line: Line) -> None:
    """To be put in the place of `alertops.faults.reach`: stop, if it is a strand that came by."""
    strand: Strand | None = getattr(_here, "strand", None)
    if strand is not None:
        strand.visit(point)


class Strand:
    """One worker at a time: idle, or running, or standing at a point."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._stops: Collection[Point] = ()
        self._orders: Queue[bool] = Queue()
        self._news: Queue[Any] = Queue()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        return self._thread is not None

    def go(self, act: Callable[[Session], Any], stops: Collection[Point]) -> None:
        """Begin; `arrived` tells how far it came."""
        assert not self.busy
        self._stops = stops
        self._thread = threading.Thread(target=self._run, args=(act,), daemon=True)
        self._thread.start()

    def go_on(self, stops: Collection[Point]) -> None:
        """From where it stands."""
        assert self.busy
        self._stops = stops
        self._orders.put(True)

    def arrived(self) -> Any:
        """Wait, and return the point where it stands, or what the service returned. Errors are raised."""
        return self._take(self._news.get(timeout=PATIENCE_SECONDS))

    def arrives_or_waits(self, waits: Callable[[], bool]) -> bool:
        """Return when it has arrived, or waits for a lock; whether it has arrived."""
        for _ in range(int(PATIENCE_SECONDS / POLL_SECONDS)):
            try:
                news = self._news.get(timeout=POLL_SECONDS)
            except Empty:
                if waits():
                    return False
            else:
                self._news.put(news)
                return True
        raise TimeoutError("it neither arrived nor came to wait for a lock")

    def die(self) -> None:
        """End here and now; an open transaction is rolled back, as the database does for whoever vanishes."""
        if self.busy:
            self._orders.put(False)
            try:
                self.arrived()
            except WorkerDiedError:
                return
            raise AssertionError("it lived on")

    def abandon(self) -> None:
        """End it when the test has failed already, and what it would say is of no interest."""
        self._orders.put(False)

    def visit(self, point: Point) -> None:
        if point in self._stops:
            self._news.put(point)
            if not self._orders.get(timeout=10 * PATIENCE_SECONDS):
                raise WorkerDiedError

    def _run(self, act: Callable[[Session], Any]) -> None:
        _here.strand = self
        try:
            with self._sessions() as session:
                result: Any = ("result", act(session))
        except BaseException as error:
            result = ("error", error)
        self._news.put(result)

    def _take(self, news: Any) -> Any:
        if isinstance(news, Point):
            return news
        assert self._thread is not None
        self._thread.join()
        self._thread = None
        what, value = news
        if what == "error":
            raise value
        return value
