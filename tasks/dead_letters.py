"""The dead-letter queue, for people: what is in it, why, and what to do with it.

A queue cannot be searched. So messages are taken without acknowledging them, looked at, acted upon, and
what was left alone goes back when the channel closes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kombu import Connection, Message

from tasks.queues import DEAD_LETTER_QUEUE, EXCHANGE

# Headers that RabbitMQ added when it set the message aside; a second life begins without them.
OF_THE_FIRST_LIFE = ("x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason")


@dataclass(frozen=True)
class DeadLetter:
    """One message that was set aside. `id` is the task's, or made from the body when it has none."""

    id: str
    task: str
    args: str
    queue: str
    reason: str
    body: str
    headers: dict[str, Any]


def count(connection: Connection) -> int:
    """How many there are."""
    with _channel(connection) as channel:
        return int(channel.queue_declare(DEAD_LETTER_QUEUE.name, passive=True).message_count)


def look(connection: Connection, limit: int) -> list[DeadLetter]:
    """Up to `limit` of them, oldest first; they stay where they are."""
    with _channel(connection) as channel:
        return [_read(message) for message in _taken(channel, limit)]


def drop(connection: Connection, ids: set[str] | None, limit: int) -> list[DeadLetter]:
    """Delete those with these ids, or all (None), among the first `limit`; returns what was deleted."""
    with _channel(connection) as channel:
        return [_acknowledged(message) for message in _wanted(channel, ids, limit)]


def retry(connection: Connection, ids: set[str] | None, limit: int) -> list[DeadLetter]:
    """Publish them to the queue that they came from, and only then delete them here.

    A crash in between leaves two copies, and copies do no harm.
    """
    with _channel(connection) as channel:
        channel.confirm_select()
        retried = []
        for message in _wanted(channel, ids, limit):
            letter = _read(message)
            _publish_again(channel, message, letter.queue)
            retried.append(_acknowledged(message))
        return retried


@contextmanager
def _channel(connection: Connection) -> Iterator[Any]:
    """A channel of AMQP's, which kombu types as one of any transport; closing it gives messages back."""
    channel: Any = connection.channel()
    try:
        yield channel
    finally:
        channel.close()


def _wanted(channel: Any, ids: set[str] | None, limit: int) -> Iterator[Message]:
    for message in list(_taken(channel, limit)):
        if ids is None or _read(message).id in ids:
            yield message


def _taken(channel: Any, limit: int) -> Iterator[Message]:
    queue = DEAD_LETTER_QUEUE.bind(channel)
    for _ in range(limit):
        message = queue.get(no_ack=False)
        if message is None:
            return
        yield message


def _acknowledged(message: Message) -> DeadLetter:
    letter = _read(message)
    message.ack()
    return letter


def _publish_again(channel: Any, message: Message, queue: str) -> None:
    headers = {name: value for name, value in dict(message.headers).items() if name not in OF_THE_FIRST_LIFE}
    prepared = channel.prepare_message(
        message.body,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        headers=headers,
        properties={"delivery_mode": 2, "correlation_id": headers.get("id")},
    )
    channel.basic_publish_confirm(prepared, exchange=EXCHANGE.name, routing_key=queue)


def _read(message: Message) -> DeadLetter:
    """What a message is about, as far as it can be read: being unreadable may be why it is here."""
    headers: dict[str, Any] = dict(message.headers)
    deaths = headers.get("x-death") or [{}]
    raw: Any = message.body
    body = raw if isinstance(raw, str) else bytes(raw).decode(errors="replace")
    return DeadLetter(
        id=str(headers.get("id") or hashlib.sha256(body.encode()).hexdigest()[:16]),
        task=str(headers.get("task") or "(none)"),
        args=str(headers.get("argsrepr") or _shortened(body)),
        queue=str(deaths[0].get("queue", "(unknown)")),
        reason=str(deaths[0].get("reason", "(unknown)")),
        body=body,
        headers=json.loads(json.dumps(headers, default=str)),
    )


def _shortened(body: str) -> str:
    return body if len(body) <= 60 else f"{body[:59]}…"
