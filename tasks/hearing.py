"""What a worker hears of its queues, and when it must be taken for deaf.

Every few seconds a canary is published to each queue of the worker (`canary.py`). Whatever begins to run
here, a canary or a wake-up, is heard. The broker hands its messages round, so that of several workers each
hears something, whoever sent it::

    hearing ──a canary that the broker took, nothing heard since──▶ doubtful ──the third──▶ deaf
       ▲                                                               │
       └───────────────────────anything is heard───────────────────────┘

A canary that the broker did not take says nothing: then it is the broker that is away, not the worker's ear.
Nor does one that is sent while the worker takes up its queues again after that: the sender may find the
broker before the consumer does. But that has its time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

MISSED_UNTIL_DEAF = 3
# To find the broker again takes a worker 2 s, to declare everything a few hundred ms; on a host that starts
# many at once, several times that.
RECONNECTING_SECONDS = 30.0


class Heard(NamedTuple):
    """A queue, seconds since something of it was heard, and the canaries that were missed since."""

    queue: str
    seconds_ago: float
    missed: int

    @property
    def deaf(self) -> bool:
        return self.missed >= MISSED_UNTIL_DEAF


@dataclass
class _Ear:
    heard_at: float
    missed: int = 0


class Hearing:
    """Of one worker process; shared by its threads. `clock` never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ears: dict[str, _Ear] = {}
        self._patient_until = self._clock()

    def listen_to(self, queues: Iterable[str]) -> None:
        """From now on, to these. Until then nothing is heard, and nothing missed."""
        with self._lock:
            self._ears = {queue: _Ear(self._clock()) for queue in queues}

    @property
    def queues(self) -> list[str]:
        return list(self._ears)

    def now(self) -> float:
        return self._clock()

    def reconnects(self) -> None:
        """The connection was lost; the worker looks for its broker."""
        with self._lock:
            self._patient_until = self._clock() + RECONNECTING_SECONDS

    def consumes(self) -> None:
        """It has its queues again; what was missed before was for want of the connection."""
        with self._lock:
            self._patient_until = self._clock()
            for ear in self._ears.values():
                ear.missed = 0

    def heard(self, routing_key: str) -> None:
        """A message with this routing key has begun to run.

        One that came through the delay layer has bits before its queue's name.
        """
        with self._lock:
            for queue, ear in self._ears.items():
                if routing_key == queue or routing_key.endswith(f".{queue}"):
                    ear.heard_at, ear.missed = self._clock(), 0

    def sent(self, queue: str, at: float) -> None:
        """The broker took a canary for this queue, which was sent at `at`; it may be here already."""
        with self._lock:
            ear = self._ears[queue]
            if ear.heard_at <= at and self._patient_until <= at:
                ear.missed += 1

    def report(self) -> list[Heard]:
        """How it is with each queue."""
        with self._lock:
            now = self._clock()
            return [Heard(queue, now - ear.heard_at, ear.missed) for queue, ear in self._ears.items()]
