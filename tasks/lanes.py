"""A worker takes from the bulk lane beside each of its queues, but only a few messages at a time.

How many a worker may have of a queue, waiting for a thread or being worked on, is the prefetch that was
in force when it began to consume it: for the bulk lane, an eighth of its threads. So a storm of one team
has an eighth of each worker at most, however long its queue is, and the rest is there for who comes by
the fast lane. It keeps a processor busy all the same: more would only make everybody wait for each
other's turns.

Of what is told to subscribers (`send.events`) it has no more than half of its threads at a time, and of what
goes by Apprise (`send.apprise`) a quarter: the last quarter is there for the webhooks that the same worker
posts, whatever subscribers and chats do.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.signals import celeryd_after_setup

from alertops.services.lanes import BULK, is_bulk
from tasks.app import app
from tasks.queues import APPRISE, EVENTS


@celeryd_after_setup.connect
def take_from_bulk_lanes(instance: Any = None, **_: Any) -> None:
    """Whoever takes from a queue takes from its bulk lane, too: no command line has to name it."""
    queues = instance.app.amqp.queues
    for name in list(queues.consume_from):
        if name + BULK in queues:
            queues.select_add(queues[name + BULK])


def places(concurrency: int) -> int:
    """How many messages of a bulk lane a worker with so many threads has at a time."""
    return max(1, concurrency // 8)


def event_places(concurrency: int) -> int:
    """How many events it has at a time."""
    return max(1, concurrency // 2)


def apprise_places(concurrency: int) -> int:
    """How many alerts by Apprise it has at a time."""
    return max(1, concurrency // 4)


class LaneShares(bootsteps.StartStopStep):
    """Tells the broker a prefetch for each queue, just before it is consumed."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        consumer, usual = parent.task_consumer, parent.initial_prefetch_count
        threads = parent.controller.concurrency
        shares = {EVENTS: event_places(threads), APPRISE: apprise_places(threads)}
        consume = consumer._basic_consume

        def consume_with_its_share(queue: Any, **options: Any) -> Any:
            share = places(threads) if is_bulk(queue.name) else shares.get(queue.name, usual)
            consumer.qos(prefetch_count=share, apply_global=False)
            return consume(queue, **options)

        # kombu has one prefetch for all queues of a consumer, and this is where it begins with each.
        consumer._basic_consume = consume_with_its_share


app.steps["consumer"].add(LaneShares)
