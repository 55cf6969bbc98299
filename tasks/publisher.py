"""Publishing wake-ups: confirms pipelined, unroutable messages noticed, waits bounded.

The broker confirms a message that it could not route just as it confirms any other; `mandatory` makes
it return such a message first. A batch is published whole, then its confirms are collected.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from queue import Empty, LifoQueue
from typing import Any, cast

import amqp
from celery import Celery
from celery.utils import uuid
from kombu import Connection

from alertops.errors import BrokerUnavailableError
from alertops.faults import Point, reach
from alertops.services.dispatch import Message
from tasks.brokers import BROKER_ERRORS, nodes
from tasks.circuit import Circuit
from tasks.delay import declare_topology, route
from tasks.gathering import GatheringWriter
from tasks.holding import HOLD_HEADER
from tasks.readable import readable

PERSISTENT = 2  # a delivery mode of AMQP: written to disk


class Line:
    """One connection to the broker with one channel in confirm mode. Not shared between threads."""

    def __init__(
        self, app: Celery, url: str, timeout: float, *, connect_timeout: float | None = None
    ) -> None:
        self._app = app
        self._writer = GatheringWriter()
        # Confirms are collected here, so the channel itself must not wait for each. No heartbeat: an
        # idle line has nobody to send it; a dead one shows itself at the next publish.
        self._connection: Connection = app.connection_for_write(
            url,
            heartbeat=0,
            connect_timeout=connect_timeout or timeout,
            transport_options={
                "confirm_publish": False,
                "frame_writer": self._writer.frame_writer,
                "read_timeout": timeout,
                "write_timeout": timeout,
                "max_retries": 0,
            },
        )
        # Asking for the channel connects, once: `connect()` would sleep 2 s before it gives up.
        # kombu types it as the channel of any transport; AMQP's has confirms and events besides.
        self._channel = cast(Any, self._connection.default_channel)
        self._channel.confirm_select()
        self._channel.events["basic_return"].add(self._on_return)
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._published = 0
        self._waiting: set[int] = set()
        self._refused: set[int] = set()
        self._returned: set[str] = set()

    def declare(self) -> None:
        """Declare the topology; a few hundred milliseconds when it is there already."""
        declare_topology(self._connection)

    def publish(self, messages: Sequence[Message], timeout: float, asked_at: float) -> list[bool]:
        """Publish all, then wait for all confirms, for so many seconds; whether each reached a queue.

        `asked_at`, on the monotonic clock, is when the delays of the messages began.
        """
        self._refused.clear()
        self._returned.clear()
        reach(Point.BEFORE_PUBLISH, self._channel.connection.sock)
        with self._writer.gathered():
            sent = [self._send(message, asked_at) for message in messages]
        reach(Point.AFTER_PUBLISH, self._channel.connection.sock)
        deadline = time.monotonic() + timeout
        while self._waiting:
            self._connection.drain_events(timeout=max(0.001, deadline - time.monotonic()))
        return [tag not in self._refused and id_ not in self._returned for tag, id_ in sent]

    def close(self) -> None:
        self._connection.collect(socket_timeout=1)

    def _send(self, message: Message, asked_at: float) -> tuple[int, str]:
        id_ = uuid()
        # Connecting and declaring take their time, and it is not to be waited for twice.
        delay = max(0.0, message.delay_seconds - (time.monotonic() - asked_at))
        way = route(message.routing_key, delay)
        eta = datetime.now(UTC) + timedelta(seconds=delay) if delay else None
        # Celery's own way to these texts takes a tenth of the time that a message takes.
        task = self._app.amqp.create_task_message(
            id_,
            message.task,
            args=message.args,
            eta=eta,
            ignore_result=True,
            argsrepr=readable(message.task, message.args),
            kwargsrepr="{}",
        )
        # A header that says nothing is the same as none, and takes as long to write, to route and to read.
        headers = {name: said for name, said in task.headers.items() if said not in (None, {})}
        if eta:
            headers[HOLD_HEADER] = way.hold_seconds
        self._published += 1
        self._waiting.add(self._published)
        # As Celery and kombu would at the end of a long way, which takes a third of the time of a message.
        self._channel.basic_publish(
            amqp.Message(
                json.dumps(task.body).encode(),
                application_headers=headers,
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=PERSISTENT,
                correlation_id=id_,
            ),
            exchange=way.exchange,
            routing_key=way.routing_key,
            mandatory=True,
        )
        return self._published, id_

    def _settle(self, tag: int, multiple: bool) -> set[int]:
        done = {t for t in self._waiting if t <= tag} if multiple else {tag}
        self._waiting -= done
        return done

    def _on_ack(self, tag: int, multiple: bool = False) -> None:
        self._settle(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool = False, *_: Any) -> None:
        self._refused |= self._settle(tag, multiple)

    def _on_return(self, _error: Any, _exchange: Any, _routing_key: str, message: Any) -> None:
        self._returned.add(message.properties["correlation_id"])


class ConfirmingPublisher:
    """Publishes from any thread, over lines that are kept open between uses."""

    def __init__(self, app: Celery, timeout_seconds: float) -> None:
        self._app = app
        self._timeout = timeout_seconds
        self._idle: LifoQueue[Line] = LifoQueue()
        self._declared = False
        self._circuit = Circuit()

    def prepare(self) -> None:
        """Connect and declare the topology ahead of the first message."""
        self.publish([])

    def publish(self, messages: Sequence[Message]) -> list[bool]:
        """See `alertops.services.dispatch.Publisher`.

        Raises at once while the circuit is open, so that a broker that hangs does not slow every request.
        """
        if not self._circuit.admits():
            raise BrokerUnavailableError(
                "the broker failed repeatedly a moment ago; it is left alone for now"
            )
        try:
            confirmed = self._publish(messages)
        except BROKER_ERRORS as error:
            self._circuit.failed()
            self._forget_lines()
            raise BrokerUnavailableError(f"{type(error).__name__}: {error}") from error
        self._circuit.succeeded()
        if not all(confirmed):
            # Somebody deleted what had been declared, and the connection did not notice.
            self._forget_lines()
        return confirmed

    def _publish(self, messages: Sequence[Message]) -> list[bool]:
        """Publish on a line that is open, or on a new one.

        A line that was idle may be dead without knowing; then the batch is published once more. What
        the first try got through is a duplicate wake-up, and those do nothing. One that does not answer
        has used up the caller's time, and is not tried again.
        """
        asked_at = time.monotonic()
        try:
            with self._idle_line() as line:
                if line is not None:
                    return line.publish(messages, self._timeout, asked_at)
        except BROKER_ERRORS:
            self._forget_lines()
            if time.monotonic() - asked_at >= self._timeout:
                raise
        with self._new_line() as line:
            return line.publish(messages, self._timeout, asked_at)

    @contextmanager
    def _idle_line(self) -> Iterator[Line | None]:
        try:
            line = self._idle.get_nowait()
        except Empty:
            yield None
            return
        with self._kept(line):
            yield line

    @contextmanager
    def _new_line(self) -> Iterator[Line]:
        line = nodes(self._app).connect(self._line_to, self._timeout)
        with self._kept(line):
            if not self._declared:
                line.declare()
                self._declared = True
            yield line

    def _line_to(self, url: str, within: float) -> Line:
        return Line(self._app, url, self._timeout, connect_timeout=within)

    @contextmanager
    def _kept(self, line: Line) -> Iterator[None]:
        """Keep the line for the next use when it worked, close it when it did not."""
        try:
            yield
        except BaseException:
            line.close()
            raise
        self._idle.put(line)

    def _forget_lines(self) -> None:
        """After a fault the broker may be another, or empty: the next publish connects and declares anew."""
        self._declared = False
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return
