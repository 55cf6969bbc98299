"""Is an overdue row lost, or does its wake-up stand in a queue?

Recovery cannot look for a message, but it can ask how many wait. Where many do, a row that was dispatched
again may well be among them: it is left alone for longer and longer, or a fleet that is merely slow would
be flooded with duplicates. Where hardly any do, nothing but a loss explains that nobody has handled it.

What a worker holds is not counted, since a worker that is gone holds messages too until the broker has
noticed. So a worker that is slow at what it holds is given duplicates. They stand in the queue, which is
short no longer: what was dispatched in error is what ends it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Protocol

import structlog

from alertops.errors import BrokerUnavailableError
from alertops.services.lanes import BULK

log = structlog.get_logger(__name__)

# About as many as a sender takes at once (16 threads): they wait for one send at most.
SHORT = 20


class ReadyMessages(Protocol):
    """What recovery needs of a broker to tell a loss from a backlog."""

    def ready(self) -> Mapping[str, int]:
        """How many messages stand in each queue, by its name, without those that workers hold.

        Raises `BrokerUnavailableError` when the broker does not answer, after a bounded time.
        """
        ...


def short_queues(broker: ReadyMessages) -> Collection[str]:
    """The queues that are too short to explain that anything is late; none when nobody can say.

    Both lanes of a queue count as one: a row does not say which of them its wake-up is in.
    """
    try:
        ready = broker.ready()
    except BrokerUnavailableError as error:
        log.warning("queues_unknown", error=str(error), next="what is late is taken for a backlog")
        return ()
    both: Counter[str] = Counter()
    for name, count in ready.items():
        both[name.removesuffix(BULK)] += count
    return [name for name, count in both.items() if count <= SHORT]
