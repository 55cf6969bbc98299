"""Two lanes for wake-ups, so that a team that raises thousands of alerts makes no other team's late.

A queue is worked off in order: behind ten thousand wake-ups of one team, another's would wait for minutes. So
what a team starts beyond a handful a second goes to the bulk lane, a queue of its own beside each (`fire` and
`fire.bulk`, `send.email` and `send.email.bulk`). Workers take from both, from the bulk lane a few at a time
(`tasks/lanes.py`): most of their threads are free for the others at any moment.

    alert ──team within its share──▶ fire ──────▶ send.email       what follows from a wake-up stays
      └─────beyond it──────────────▶ fire.bulk ─▶ send.email.bulk    in the lane that it came by

Nothing is lost or refused by this, and within a lane nothing changes. What waits in the bulk lane waits whole
seconds, rounded up, so that no worker's few places are taken by what it merely holds.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from uuid import UUID

BULK = ".bulk"

# A team's share of the fast lane, in each process that accepts alerts: so many at once, and so many a second
# from then on. At once is what the workers of a small fleet fire within a third of a second.
AT_ONCE = 50
PER_SECOND = 5.0
# Teams whose share is being counted; one that is forgotten begins anew.
REMEMBERED = 10_000


class Shares:
    """How much of its share of the fast lane each team has used lately. Shared by threads.

    Each process counts for itself: a share need not be exact, and asking a server for it would cost every
    alert what this is to save. `clock` never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # When all that was counted will have leaked away: a leaky bucket that is a single time.
        self._clear_at: OrderedDict[UUID, float] = OrderedDict()

    def takes(self, team_id: UUID, count: int) -> bool:
        """Whether so many more of this team fit in its share; if they do, they are counted."""
        with self._lock:
            now = self._clock()
            used = max(0.0, self._clear_at.pop(team_id, now) - now) * PER_SECOND
            fits = round(used + count, 3) <= AT_ONCE
            self._clear_at[team_id] = now + (used + count if fits else used) / PER_SECOND
            if len(self._clear_at) > REMEMBERED:
                self._clear_at.popitem(last=False)
        return fits


def crowding(teams: Iterable[UUID | None]) -> set[UUID]:
    """The teams that come up so often among rows that are all late that they belong in the bulk lane."""
    return {team for team, count in Counter(teams).items() if team is not None and count > AT_ONCE}


def is_bulk(routing_key: str) -> bool:
    """Whether a message with this routing key came by the bulk lane; the delay layer puts bits before it."""
    return routing_key.endswith(BULK)
