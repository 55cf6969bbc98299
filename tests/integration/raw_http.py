"""Receivers of webhooks that misbehave below HTTP: silent, dripping, cutting, huge, or talking nonsense."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.integration.mailing import PLENTY

Act = Callable[[socket.socket, threading.Event], None]
# What is done when a connection is taken, when a request has come: bytes are sent, None closes at once.
Answer = bytes | None | Act

TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntaken"


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def silence(connection: socket.socket, stopped: threading.Event) -> None:
    stopped.wait()


def drip(data: bytes) -> Act:
    """These bytes, again and again without end, one at a time."""

    def act(connection: socket.socket, stopped: threading.Event) -> None:
        while True:
            for byte in data:
                if stopped.wait(0.02):
                    return
                connection.sendall(bytes([byte]))

    return act


def say_then(said: bytes, then: Act) -> Act:
    def act(connection: socket.socket, stopped: threading.Event) -> None:
        connection.sendall(said)
        then(connection, stopped)

    return act


def reset(connection: socket.socket, stopped: threading.Event) -> None:
    """Close in the rudest way: whatever is on its way is lost, too."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


@dataclass
class Received:
    """A request, as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class RawReceiver:
    """Serves one connection after another; `greeting` is done before anything is read, TLS before that."""

    port: int
    requests: list[Received] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str = "/hook", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def read_request(connection: socket.socket) -> Received | None:
    lines = connection.makefile("rb")
    first = lines.readline().decode("latin-1").strip()
    if not first:
        return None
    headers = {}
    while line := lines.readline().decode("latin-1").strip():
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return Received(first, headers, lines.read(int(headers.get("content-length", 0))))


@contextmanager
def raw_receiver(
    *answers: Answer,
    greeting: Answer = b"",
    before_tls: Answer = b"",
    tls: ssl.SSLContext | None = None,
    address: str = "127.0.0.1",
) -> Iterator[RawReceiver]:
    """A receiver that gives each request the next of the answers, and the last one from then on."""
    stopped = threading.Event()
    with socket.create_server((address, 0)) as listener:
        receiver = RawReceiver(listener.getsockname()[1])

        def converse(connection: socket.socket) -> None:
            if not _do(before_tls, connection, stopped):
                return
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            with connection:
                if not _do(greeting, connection, stopped) or (request := read_request(connection)) is None:
                    return
                receiver.requests.append(request)
                _do(answers[min(len(receiver.requests), len(answers)) - 1], connection, stopped)

        def serve() -> None:
            while not stopped.is_set():
                connection, _ = listener.accept()
                if stopped.is_set():
                    connection.close()
                    return
                receiver.connections += 1
                # A client that has had enough, or trusts nobody, is what these tests are about.
                with connection, suppress(OSError):
                    converse(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            stopped.set()
            # Wakes the receiver from accept, so that it sees that it is to stop.
            socket.create_connection((address, receiver.port)).close()
            thread.join(PLENTY)
            assert not thread.is_alive()


def _do(what: Answer, connection: socket.socket, stopped: threading.Event) -> bool:
    """Whether the conversation goes on."""
    if what is None:
        return False
    if callable(what):
        what(connection, stopped)
        return False
    connection.sendall(what)
    return True
