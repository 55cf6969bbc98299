"""The floor of accepting alerts: bare HTTP/1.1, and for each one durable commit and one confirmed publish.

    python -m tests.benchmarks.floor.accept PORT

Two processes with eight threads each, as the API has; each thread has its own connections.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import threading

import psycopg2

from tests.benchmarks.floor.wires import BODY, confirming_channel, persistent

PROCESSES, THREADS = 2, 8
TABLE = "CREATE TABLE alerts (id bigserial PRIMARY KEY, body text NOT NULL)"
QUEUE = "floor"
ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def main(port: int) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    for _ in range(PROCESSES):
        multiprocessing.get_context("fork").Process(target=serve, args=(listener,)).start()


def serve(listener: socket.socket) -> None:
    for _ in range(THREADS):
        threading.Thread(target=work, args=(listener,)).start()


def work(listener: socket.socket) -> None:
    database = psycopg2.connect(os.environ["PEER_DATABASE_URL"])
    database.autocommit = True
    cursor = database.cursor()
    channel = confirming_channel(os.environ["PEER_BROKER_URL"])
    while True:
        line, _ = listener.accept()
        with line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (body := read_body(line)) is not None:
                cursor.execute("INSERT INTO alerts (body) VALUES (%s)", (body.decode(),))
                channel.basic_publish_confirm(persistent(BODY), routing_key=QUEUE)
                line.sendall(ANSWER)


def read_body(line: socket.socket) -> bytes | None:
    """The body of the next request; None when the client has left."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = line.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(field.split(b":")[1])
        for field in head.split(b"\r\n")
        if field.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += line.recv(65536)
    return body


if __name__ == "__main__":
    main(int(sys.argv[1]))
