"""The floor of escalating: as many commits, messages and SMTP conversations as a step has, and nothing else.

    python -m tests.benchmarks.floor.escalate fire|send THREADS

    fire   a message; wait until it is due; commit; publish the next message, confirmed; commit without flush
    send   a message; commit; one SMTP conversation; commit

Three commits that are flushed and two messages: what a step is allowed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

import psycopg2
from amqp import Channel
from amqp.basic_message import Message

from tests.benchmarks.floor.wires import BODY, confirming_channel, connect, converse, persistent

TABLE = """
    CREATE TABLE jobs (id text PRIMARY KEY, fired_at timestamptz, dispatched_at timestamptz,
                       transmit_at timestamptz, sent_at timestamptz)
"""
FIRE, SEND = "floor.fire", "floor.send"
PREFETCH = 16


def main(kind: str, threads: int) -> None:
    for _ in range(threads):
        threading.Thread(target=work, args=(kind,)).start()


def work(kind: str) -> None:
    database = psycopg2.connect(os.environ["PEER_DATABASE_URL"])
    cursor = database.cursor()
    broker_url = os.environ["PEER_BROKER_URL"]
    channel = connect(broker_url).channel()
    channel.basic_qos(0, PREFETCH if kind == "fire" else 1, False)

    def commit(column: str, job: str) -> None:
        cursor.execute(f"UPDATE jobs SET {column} = now() WHERE id = %s", (job,))
        database.commit()

    handle = fire(confirming_channel(broker_url), cursor, commit) if kind == "fire" else send(commit)

    def on_message(message: Message) -> None:
        handle(bytes(message.body).decode() if isinstance(message.body, bytes) else message.body)
        channel.basic_ack(message.delivery_tag)

    channel.basic_consume(FIRE if kind == "fire" else SEND, callback=on_message)
    while True:
        channel.connection.drain_events()


Commit = Callable[[str, str], None]


def fire(publisher: Channel, cursor: psycopg2.extensions.cursor, commit: Commit) -> Callable[[str], None]:
    """The publisher's connection is its own: who waits for a confirm must not be given the next message.

    That one would wait for its own confirm, and where the broker confirms both at once, the other for ever.
    """

    def handle(body: str) -> None:
        due, job = body.split()[:2]
        time.sleep(max(0.0, float(due) - time.time()))
        commit("fired_at", job)
        publisher.basic_publish_confirm(persistent(f"{due} {job} {BODY.decode()}"), routing_key=SEND)
        cursor.execute("SET LOCAL synchronous_commit = off")
        commit("dispatched_at", job)

    return handle


def send(commit: Commit) -> Callable[[str], None]:
    port = int(os.environ["PEER_SMTP_PORT"])

    def handle(body: str) -> None:
        job = body.split()[1]
        commit("transmit_at", job)
        converse(port, job)
        commit("sent_at", job)

    return handle


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
