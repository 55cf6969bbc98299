"""Celery's consumer, where its ways are not ours.

It looks for a broker that is away at ever longer intervals, up to 30 s: after an outage of a minute and a
half a worker could stay away for longer than the repair takes that is promised. It acknowledges, so
deletes, a message that it cannot decode; here that becomes a dead letter. It binds every queue to the delay
layer, but declares those alone that it consumes; on a new broker the others are not there yet. And it
declares the delay layer at each of several addresses, as if they were brokers of their own: of a cluster with
a lost node it would wait for that one for 20 s at every connection, and take up no message meanwhile.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import structlog
from amqp.exceptions import ChannelError
from celery import bootsteps
from celery.worker.consumer import Consumer as CeleryConsumer

from tasks.delay import declare_queues, declare_topology

PAUSE_SECONDS = 2
DECLARE_TRIES = 5
CELERYS_DELAY_LAYER = "celery.worker.consumer.delayed_delivery:DelayedDelivery"

log = structlog.get_logger(__name__)


class DelayLayer(bootsteps.StartStopStep):
    """Declares it where this worker is connected; in place of Celery's step."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Somebody who deletes queues in this moment may be in the way, and is gone by the next try.

        What is in the way for longer must not keep the worker from its queues: whoever publishes declares,
        too, and what comes late meanwhile is repaired.
        """
        for tries_left in reversed(range(DECLARE_TRIES)):
            try:
                # Beside the connection that consumes, so that the channels that this takes end with it.
                with parent.connection.clone() as connection:
                    declare_topology(connection)
            except ChannelError as error:
                log.warning("delay_layer_not_declared", error=str(error), tries_left=tries_left)
            else:
                return


class Consumer(CeleryConsumer):
    """Pauses are constant between tries to connect, all queues are there, and nothing unreadable is lost."""

    class Blueprint(CeleryConsumer.Blueprint):  # type: ignore[misc,valid-type]  # the stubs take it for a variable
        default_steps = (
            *(step for step in CeleryConsumer.Blueprint.default_steps if step != CELERYS_DELAY_LAYER),
            "tasks.consumer:DelayLayer",
        )

    def connect(self) -> Any:
        connection = super().connect()
        declare_queues(connection)
        return connection

    def ensure_connected(self, conn: Any) -> Any:
        # Celery calls it without intervals, and has no setting for them.
        conn.ensure_connection = partial(conn.ensure_connection, interval_step=0, interval_max=PAUSE_SECONDS)
        return super().ensure_connected(conn)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        log.error("message_unreadable", error=str(exc), next="see: alertops dead-letters list")
        message.reject()
