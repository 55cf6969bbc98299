"""The queues: quorum queues behind topic exchanges, each with a way out for poison.

    fire          steps that came due; never waits behind a slow provider
    send.<channel>  attempts, one queue a channel, so that a channel that hangs delays no other
    send.events   what happens to executions, for whoever has subscribed to it
    send.letters  mails about accounts and teams, which wait for alerts and never the other way round
    fire.bulk, send.<channel>.bulk, send.events.bulk  the same for what a team starts beyond its share
                  (services/lanes.py)
    recovery      the recovery task
    alertops.epoch.<id>  the marker of a broker that has our messages; nothing is sent there

Delayed delivery routes by topic, so a direct exchange would not do.
"""

from __future__ import annotations

from typing import Any

from kombu import Exchange, Queue

from alertops.services.dispatch import EVENT_QUEUE, LETTER_QUEUE
from alertops.services.lanes import BULK, is_bulk

CHANNELS = ("email", "webhook", "apprise")
FIRE = "fire"
LETTERS = LETTER_QUEUE
EVENTS = EVENT_QUEUE
APPRISE = "send.apprise"
RECOVERY = "recovery"

EXCHANGE = Exchange("alertops", type="topic", durable=True)
DEAD_LETTER_EXCHANGE = Exchange("alertops.dead-letter", type="fanout", durable=True)
DEAD_LETTER_QUEUE = Queue(
    "dead-letter",
    exchange=DEAD_LETTER_EXCHANGE,
    routing_key="#",
    durable=True,
    queue_arguments={"x-queue-type": "quorum"},
)

# A message that takes its worker down comes back; after this often it is set aside. RabbitMQ before 4
# has no limit of its own.
DELIVERY_LIMIT = 20


class GuardedQueue(Queue):
    """A queue that declares its dead-letter queue before itself.

    A quorum queue that dead-letters into an exchange that is missing keeps the message where nobody
    sees it. Declaring in this order, whoever declares, makes that impossible.
    """

    def declare(self, nowait: bool = False, channel: Any = None) -> str | None:
        DEAD_LETTER_QUEUE.bind(channel or self.channel).declare()
        return super().declare(nowait=nowait, channel=channel)


def send_queue(channel: str) -> str:
    """The name, and the routing key, of a channel's queue."""
    return f"send.{channel}"


def has_few_places(queue: str) -> bool:
    """Whether a worker has only a few messages of it at a time, whatever its threads do (tasks/lanes.py)."""
    return is_bulk(queue) or queue in (EVENTS, APPRISE)


def task_queues() -> list[Queue]:
    """All queues that workers consume."""
    lanes = [FIRE, *(send_queue(channel) for channel in CHANNELS), EVENTS]
    return [_queue(name) for name in (*lanes, *(lane + BULK for lane in lanes), LETTERS, RECOVERY)]


def marker_queue(name: str) -> Queue:
    """A queue that nothing is ever sent to: that it is there is what it says."""
    return Queue(name, durable=True, queue_arguments={"x-queue-type": "quorum"})


def _queue(name: str) -> GuardedQueue:
    return GuardedQueue(
        name,
        exchange=EXCHANGE,
        routing_key=name,
        durable=True,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE.name,
            # At least once needs a queue that refuses rather than drops when it is full.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )
