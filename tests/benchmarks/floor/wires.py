"""Bare connections to the three servers."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from amqp import Channel, Connection
from amqp.basic_message import Message

BODY = b"x" * 200


def confirming_channel(broker_url: str) -> Channel:
    """A channel whose publishes are confirmed one by one by `basic_publish_confirm`."""
    return connect(broker_url, confirm=True).channel()


def connect(broker_url: str, *, confirm: bool = False) -> Connection:
    parts = urlsplit(broker_url)
    connection = Connection(
        f"{parts.hostname}:{parts.port}",
        userid=parts.username,
        password=parts.password,
        virtual_host=parts.path[1:] or "/",
        confirm_publish=confirm,
    )
    connection.connect()
    return connection


def declare(broker_url: str, *queues: str) -> None:
    """Queues of the kind that ours are."""
    with connect(broker_url) as connection, connection.channel() as channel:
        for queue in queues:
            channel.queue_declare(
                queue, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
            )


def persistent(body: bytes | str) -> Message:
    return Message(body, delivery_mode=2)


def converse(port: int, job: str) -> None:
    """The shortest conversation that hands over a mail. `leave` comes after the answer to the final dot."""
    mail = f"X-Job: {job}\r\nSubject: full\r\n\r\nThe disk is full.\r\n.\r\n"
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.recv(512)
        for words in ("EHLO localhost", "MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA"):
            line.sendall(words.encode() + b"\r\n")
            line.recv(512)
        line.sendall(mail.encode())
        line.recv(512)
        line.sendall(b"QUIT\r\n")
        line.recv(512)
