"""How many batches of one team a process works on at the same moment.

A batch keeps a thread for some tens of milliseconds. With as many clients as there are threads, one team
would have them all, and others would wait for their turn behind its batches. So the fourth is told to
come again in a second, before it costs the database anything.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from alertops.errors import ThrottledError

# Of the eight threads that a process has.
AT_ONCE = 3
COME_AGAIN_SECONDS = 1


class BatchesAtOnce:
    """Shared by the threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: Counter[UUID] = Counter()

    @contextmanager
    def one_of(self, team_id: UUID) -> Iterator[None]:
        """Work on a batch of this team inside; `ThrottledError` when it has enough of them."""
        with self._lock:
            if self._under_way[team_id] >= AT_ONCE:
                raise ThrottledError(COME_AGAIN_SECONDS, "batches at once")
            self._under_way[team_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[team_id] -= 1
                # Zeros are not kept: there is a team for each key that was ever shown.
                self._under_way += Counter()
