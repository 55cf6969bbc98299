"""How long a worker holds a wake-up: the fraction of a second that the broker did not wait, and no longer.

Celery holds a message until the wall clock of the worker says that its ETA is there; the ETA is by the wall
clock of whoever published it. Where the two differ by minutes, a message would be held for minutes. So each
message also says how long it may be held, which is measured by the worker's monotonic clock.

With clocks that agree, the ETA decides. A worker that is behind holds a message for its fraction; what it
has waited on its way is then waited once more. A worker that is ahead holds nothing, and is told by the row
that it is early. No two workers can pass a message back and forth, each taking it for due: who publishes
it again writes an ETA by their own clock, and only who is further ahead does not hold that one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.poison import PoisonLimitedRequest

# A header of every wake-up that is to be held, in seconds.
HOLD_HEADER = "hold_seconds"
# Of a message that does not say so: the broker waits whole seconds.
LONGEST_HOLD_SECONDS = 1.0


class WakeUpRequest(PoisonLimitedRequest):
    """A wake-up that a worker has received; its ETA is never further off than it may be held."""

    @property
    def eta(self) -> datetime | None:
        eta: datetime | None = super().eta
        if eta is None:
            return None
        return min(eta, self._received_at + timedelta(seconds=self._longest_hold))

    def __init__(self, message: Any, **options: Any) -> None:
        super().__init__(message, **options)
        self._received_at = datetime.now(UTC)
        asked = message.headers.get(HOLD_HEADER)
        known = isinstance(asked, int | float) and 0 <= asked <= LONGEST_HOLD_SECONDS
        self._longest_hold = float(asked) if known else LONGEST_HOLD_SECONDS
