"""A few threads for each host, so that one that hangs does not take them all.

A sender asks for a place before it claims, and never waits for one: where none is free it is told how long to
stay away, and the thread is there for another host. Those who are sent away come back one after another, as
fast as the host takes them: a thousand of them do not come back at once, to be sent away again.

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
# Who is sent away comes back after a second at least: the broker waits whole ones.
SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 60.0
# How long a conversation takes with a host of which nobody knows yet.
USUAL_SECONDS = 0.4
# Hosts that are remembered; of more, those that nobody speaks to are forgotten, and begin anew.
REMEMBERED = 10_000


@dataclass
class _Host:
    taken: int = 0
    silent: bool = False
    # How long the last conversations took, the newest counting most.
    takes: float = USUAL_SECONDS
    # When the last of those who were sent away comes back.
    back_at: float = 0.0

    @property
    def places(self) -> int:
        return 1 if self.silent else PLACES


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

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # Hosts that are spoken to, that were silent, or to which somebody is to come back.
        self._hosts: dict[str, _Host] = {}

    @contextmanager
    def place(self, host: str) -> Iterator[Place]:
        """Take a place, if one is free, for as long as the context lasts."""
        place, began = self._take(host), self._clock()
        try:
            yield place
        finally:
            if place.away_seconds is None:
                self._give_back(host, place, self._clock() - began)

    def _take(self, host: str) -> Place:
        with self._lock:
            if len(self._hosts) > REMEMBERED:
                self._hosts = {name: one for name, one in self._hosts.items() if one.taken}
            known = self._hosts.setdefault(host, _Host())
            if known.taken < known.places:
                known.taken += 1
                return Place(None)
            now = self._clock()
            # As fast as the host takes them.
            earliest = max(now + SHORTEST_SECONDS, known.back_at + known.takes / known.places)
            known.back_at = min(earliest, now + LONGEST_SECONDS)
            return Place(known.back_at - now)

    def _give_back(self, host: str, place: Place, took: float) -> None:
        with self._lock:
            known = self._hosts[host]
            known.taken -= 1
            known.silent = not place.answered
            known.takes = (known.takes + took) / 2
            if not known.taken and not known.silent and known.back_at <= self._clock():
                del self._hosts[host]
