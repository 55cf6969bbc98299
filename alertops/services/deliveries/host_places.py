"""A few threads for each host, so that one that hangs does not take them all.

A sender asks for a place before it claims, and never waits for one: where none is free it is told how long to
stay away, and the thread is there for another host. Those who are sent away come back one after another, so
that a thousand of them do not come back at once, to be sent away again.

A host that did not answer the last time has one place, until it does.

Each process counts for itself, in memory: what must be true is kept by the claims in the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PLACES = 4
# Who is sent away comes back after a second at least, and nobody sooner than so long after the one before.
SHORTEST_SECONDS = 1.0
APART_SECONDS = 0.1
LONGEST_SECONDS = 60.0
# Hosts that are remembered; of more, those that nobody speaks to are forgotten, and begin anew.
REMEMBERED = 10_000


@dataclass
class _Host:
    taken: int = 0
    silent: bool = False
    # When the last of those who were sent away comes back.
    back_at: float = 0.0


class Place:
    """A place, or none: then `away_seconds` says how long to stay away."""

    def __init__(self, away_seconds: float | None) -> None:
        self.away_seconds = away_seconds
        self.answered = True

    def unanswered(self) -> None:
        """The host took the time that it was given, and did not answer."""
        self.answered = False


class HostPlaces:
    """Shared by threads. `clock` never goes back."""

    def __init__(self, places: int = PLACES, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._clock = clock
        self._lock = threading.Lock()
        # Hosts that are spoken to, that were silent, or to which somebody is to come back.
        self._hosts: dict[str, _Host] = {}

    @contextmanager
    def place(self, host: str) -> Iterator[Place]:
        """Take a place, if one is free, for as long as the context lasts."""
        place = self._take(host)
        try:
            yield place
        finally:
            if place.away_seconds is None:
                self._give_back(host, place)

    def _take(self, host: str) -> Place:
        with self._lock:
            if len(self._hosts) > REMEMBERED:
                self._hosts = {name: one for name, one in self._hosts.items() if one.taken}
            known = self._hosts.setdefault(host, _Host())
            if known.taken < (1 if known.silent else self._places):
                known.taken += 1
                return Place(None)
            now = self._clock()
            earliest = max(now + SHORTEST_SECONDS, known.back_at + APART_SECONDS)
            known.back_at = min(earliest, now + LONGEST_SECONDS)
            return Place(known.back_at - now)

    def _give_back(self, host: str, place: Place) -> None:
        with self._lock:
            known = self._hosts[host]
            known.taken -= 1
            known.silent = not place.answered
            if not known.taken and not known.silent and known.back_at <= self._clock():
                del self._hosts[host]
