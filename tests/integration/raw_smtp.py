"""Servers that misbehave below SMTP: silent, dripping, closing, or talking nonsense at any verb."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from tests.integration.mailing import PLENTY

Answer = bytes | None | Callable[[socket.socket, threading.Event], None]
# One after the other, and then the last of them each time.
Answers = Answer | list[Answer]
POLITE: Mapping[str, Answers] = {
    "GREETING": b"220 raw\r\n",
    "EHLO": b"250 raw\r\n",
    "MAIL": b"250 ok\r\n",
    "RCPT": b"250 ok\r\n",
    "DATA": b"354 go\r\n",
    ".": b"250 taken\r\n",
    "QUIT": b"221 bye\r\n",
}


def silence(connection: socket.socket, stopped: threading.Event) -> None:
    stopped.wait()


def go_and_be_silent(connection: socket.socket, stopped: threading.Event) -> None:
    connection.sendall(b"220 go\r\n")
    stopped.wait()


def drip(connection: socket.socket, stopped: threading.Event) -> None:
    """A reply without end, one byte at a time."""
    reply = b"250-" + b"x" * 1_000_000
    for byte in reply:
        if stopped.wait(0.02):
            return
        connection.sendall(bytes([byte]))


class RawServer:
    """Serves each connection with an answer for each verb, in all of them together; None closes it."""

    def __init__(self, answers: Mapping[str, Answers]) -> None:
        self.heard: list[str] = []
        self._answers = {
            verb: [*answer] if isinstance(answer, list) else [answer] for verb, answer in answers.items()
        }
        self._stopped = threading.Event()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._listening = self._start(self._listen)

    def stop(self) -> None:
        self._stopped.set()
        # Wakes the server from accept, so that it sees that it is to stop.
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._listening.join(PLENTY)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in (self._listening, *self._threads):
            thread.join(PLENTY)
            assert not thread.is_alive()

    def _start(self, act: Callable[..., None], *args: socket.socket) -> threading.Thread:
        thread = threading.Thread(target=act, args=args, daemon=True)
        thread.start()
        return thread

    def _listen(self) -> None:
        while not self._stopped.is_set():
            connection, _ = self._listener.accept()
            self._open.append(connection)
            self._threads.append(self._start(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        # A client that has had enough is what these tests are about.
        with connection, suppress(ConnectionError):
            self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        verb = "GREETING"
        while (answer := self._answer_to(verb)) is not None:
            if callable(answer):
                answer(connection, self._stopped)
                return
            connection.sendall(answer)
            line = lines.readline()
            while verb == "DATA" and answer.startswith(b"354") and line not in (b".\r\n", b""):
                line = lines.readline()
            if not line:
                return
            verb = line.decode().split()[0].upper()
            self.heard.append(verb)

    def _answer_to(self, verb: str) -> Answer:
        answers = self._answers[verb]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@contextmanager
def raw_server(**changes: Answers) -> Iterator[tuple[int, list[str]]]:
    """The port of a polite server but for `changes`, and the verbs that it hears."""
    server = RawServer({**POLITE, **changes})
    try:
        yield server.port, server.heard
    finally:
        server.stop()
