"""Receivers of webhooks that misbehave below HTTP: silent, dripping, cutting, huge, or talking nonsense."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

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


class RawReceiver:
    """Serves each connection in a thread of its own, as it is told."""

    def __init__(
        self,
        answers: Sequence[Answer],
        greeting: Answer,
        before_tls: Answer,
        tls: ssl.SSLContext | None,
        host: str = "127.0.0.1",
    ) -> None:
        self.host = host
        self.requests: list[Received] = []
        self.connections = 0
        self._answers = answers
        self._greeting = greeting
        self._before_tls = before_tls
        self._tls = tls
        self._stopped = threading.Event()
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def url(self, path: str = "/hook", *, host: str | None = None, scheme: str = "http") -> str:
        return f"{scheme}://{host or self.host}:{self.port}{path}"

    def stop(self) -> None:
        self._stopped.set()
        # Wakes the receiver from accept, so that it sees that it is to stop.
        socket.create_connection((self.host, self.port)).close()
        self._thread.join(PLENTY)
        self._listener.close()
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopped.is_set():
                connection.close()
                return
            self.connections += 1
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        # A client that has had enough, or trusts nobody, is what these tests are about.
        with connection, suppress(OSError):
            if not _do(self._before_tls, connection, self._stopped):
                return
            if self._tls is None:
                self._converse(connection)
            else:
                with self._tls.wrap_socket(connection, server_side=True) as secured:
                    self._converse(secured)

    def _converse(self, connection: socket.socket) -> None:
        if _do(self._greeting, connection, self._stopped) and (request := read_request(connection)):
            self.requests.append(request)
            which = min(len(self.requests), len(self._answers)) - 1
            _do(self._answers[which], connection, self._stopped)


@contextmanager
def raw_receiver(
    *answers: Answer,
    greeting: Answer = b"",
    before_tls: Answer = b"",
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> Iterator[RawReceiver]:
    """A receiver that gives each request the next of the answers, and the last one from then on.

    `before_tls` and `greeting` are done before and after the handshake, before anything is read.
    """
    receiver = RawReceiver(answers, greeting, before_tls, tls, host)
    try:
        yield receiver
    finally:
        receiver.stop()


def _do(what: Answer, connection: socket.socket, stopped: threading.Event) -> bool:
    """Whether the conversation goes on."""
    if what is None:
        return False
    if callable(what):
        what(connection, stopped)
        return False
    connection.sendall(what)
    return True
