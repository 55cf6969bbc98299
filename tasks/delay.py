"""How a message waits: in the broker, in whole seconds; the last fraction in the worker.

kombu's native delayed delivery is a chain of topic exchanges and TTL queues, one for each power of two
seconds: a message of 5 s waits in the queues of 4 and 1. Two things are done differently here:

- Celery lets every message enter at the top (level 27), where the broker matches its long routing key
  at up to 28 exchanges. Entering at the highest bit that is set skips those that only pass it on:
  about 5,200 messages a second instead of 550 on the same channel.
- Celery refuses an ETA less than a second ahead (`int(countdown)` is 0). Such a message is published
  undelayed, with its ETA, and the worker holds it for the fraction (`holding.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from kombu import Connection
from kombu.transport.native_delayed_delivery import (
    MAX_LEVEL,
    bind_queue_to_native_delayed_delivery_exchange,
    calculate_routing_key,
    declare_native_delayed_delivery_exchanges_and_queues,
    level_name,
)

from tasks.queues import EXCHANGE, has_few_places, task_queues

# What 28 levels can hold, about eight years and a half; a longer delay waits in two stretches, as the
# worker that wakes early dispatches again for what remains.
LONGEST_SECONDS = 2 ** (MAX_LEVEL + 1) - 1


@dataclass(frozen=True)
class Route:
    """Where to publish a message so that it arrives at its queue after the whole seconds of its delay.

    The rest, `hold_seconds`, is for the worker to wait.
    """

    exchange: str
    routing_key: str
    hold_seconds: float


def route(queue: str, delay_seconds: float) -> Route:
    """The entry for a message to this queue."""
    # And none of them to hold it in.
    if has_few_places(queue):
        delay_seconds = ceil(delay_seconds)
    whole = min(int(delay_seconds), LONGEST_SECONDS)
    fraction = delay_seconds % 1
    if whole < 1:
        return Route(EXCHANGE.name, queue, fraction)
    level = whole.bit_length() - 1
    return Route(level_name(level), calculate_routing_key(whole, queue), fraction)


def declare_queues(connection: Connection) -> None:
    """Declare the queues that workers consume, and the dead-letter queue behind them."""
    for queue in task_queues():
        queue.bind(connection.default_channel).declare()


def declare_topology(connection: Connection) -> None:
    """Declare all that a wake-up can pass through; before the first publish, so that none is held.

    A delayed message whose last binding is missing is confirmed, and then waits for minutes.
    """
    declare_queues(connection)
    declare_native_delayed_delivery_exchanges_and_queues(connection, "quorum")
    for queue in task_queues():
        bind_queue_to_native_delayed_delivery_exchange(connection, queue)
