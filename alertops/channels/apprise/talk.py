"""One send by a plugin: in a thread of its own, up to the first byte of its first request, and from there on.

::

    sender                     the plugin's thread
    begin ───────────────────▶ looks up, connects
      waits ◀────────────────── about to write the first byte; or over, with nothing sent
    go on ───────────────────▶ writes, reads, asks more
      waits ◀────────────────── over: True, False, or an error
    leave ───────────────────▶ whatever it still asks is refused

A plugin answers True or False; what it asked, and what came back, is kept here for whoever has to say what
that means. Every wait for the network ends by the talk's deadline; a plugin that wants to sleep is ended
instead. So a thread that was left ends soon, and can never send anything more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from alertops.channels.apprise.stand_in import STAND_IN
from alertops.channels.base import ChannelError
from alertops.channels.deadline import Deadline
from alertops.channels.endpoint import Endpoint
from alertops.channels.http_exchange import Answer, NoAnswer, Request, ask, hung_up
from alertops.channels.outward import Outward

# What plugins read of an answer is JSON of a few hundred bytes; nobody is to fill our memory.
MAX_ANSWER = 1 << 20

# Hop by hop, or said by us.
_OURS = frozenset({"content-length", "connection", "host", "accept-encoding", "transfer-encoding"})


@dataclass
class Exchange:
    """A request, and what became of it. `sent` is true from just before its first byte on."""

    method: str
    endpoint: Endpoint | None = None
    sent: bool = False
    answer: Answer | None = None
    error: Exception | None = None


class WaitWantedError(Exception):
    """A plugin was asked to try again later, and would sleep until then: that is ours to do."""


class Talk:
    """Made by the sender, asked by the plugin in its own thread."""

    def __init__(self, outward: Outward, within_seconds: float) -> None:
        self._outward = outward
        self._deadline = Deadline(within_seconds)
        self._lock = threading.Lock()
        self._ready, self._go, self._over = threading.Event(), threading.Event(), threading.Event()
        self._left = False
        self._exchanges: list[Exchange] = []
        self._of_the_message: int | None = None
        self.said: bool | None = None
        self.error: Exception | None = None

    @property
    def exchanges(self) -> list[Exchange]:
        """Those that were made to send the message, so far."""
        return self._exchanges[: self._of_the_message]

    def begin(self, notify: Callable[[], bool], farewell: Callable[[], object] | None = None) -> bool:
        """Let the plugin come to its first byte; False when it has not: it is over, or took too long.

        `farewell` is called after `notify`; what it asks says nothing of the message.
        """
        threading.Thread(target=self._run, args=(notify, farewell), daemon=True, name="apprise").start()
        return self._ready.wait(max(0.0, self._deadline.left())) and not self._over.is_set()

    def go_on(self, within_seconds: float) -> None:
        """Let it send, and wait for its end, but not longer."""
        self._deadline = Deadline(within_seconds)
        self._go.set()
        self._over.wait(within_seconds)
        self.leave()

    def leave(self) -> None:
        """Nothing is sent from now on that was not begun."""
        with self._lock:
            self._left = True
        self._deadline = Deadline(0)
        self._go.set()

    def pause(self, last_io: Any = None, wait: float | None = None) -> None:
        """In place of a plugin's own throttle: how much is sent is decided elsewhere."""
        if wait:
            raise WaitWantedError(f"it asks to be left alone for {wait:g} s")

    def ask(self, request: requests.PreparedRequest) -> Answer:
        """A request and its answer; `requests.ConnectionError`, as plugins expect it, when there is none."""
        exchange = Exchange(str(request.method))
        self._exchanges.append(exchange)
        try:
            exchange.answer = self._exchange(exchange, request)
        # ValueError: a URL that is none, or a name that cannot be one.
        except (OSError, ValueError, ChannelError, NoAnswer) as error:
            exchange.error = error
            raise requests.ConnectionError(type(error).__name__) from error
        return exchange.answer

    def _run(self, notify: Callable[[], bool], farewell: Callable[[], object] | None) -> None:
        try:
            with STAND_IN.asking(self):
                said = notify()
                self._of_the_message = len(self._exchanges)
                self.said = said
                if farewell is not None:
                    farewell()
        except Exception as error:  # whatever a plugin raises, it is the sender's
            self.error = error
        finally:
            self._over.set()
            self._ready.set()

    def _exchange(self, exchange: Exchange, request: requests.PreparedRequest) -> Answer:
        exchange.endpoint = endpoint = Endpoint.of(str(request.url))
        asked = Request(exchange.method, endpoint.target, _headers(endpoint, request), _body(request))
        with self._outward.connect(endpoint, self._deadline) as sock:
            self._ready.set()
            self._go.wait()
            if hung_up(sock):
                raise ConnectionError("hung up before anything was sent")
            with self._lock:
                if self._left:
                    raise TimeoutError("timed out")
                exchange.sent = True
            left = self._deadline.remaining()
            return ask(sock, asked, self._deadline, max_body=MAX_ANSWER, body_seconds=left)


def _headers(endpoint: Endpoint, request: requests.PreparedRequest) -> list[tuple[str, str]]:
    kept = [(name, _text(value)) for name, value in request.headers.items() if name.lower() not in _OURS]
    return [
        ("Host", endpoint.authority),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
        *kept,
    ]


def _body(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    if not isinstance(body, str | bytes):
        # A file, or what makes a body bit by bit: nothing that we give a plugin to send.
        raise ValueError("a body that is neither text nor bytes")  # noqa: TRY004  told as one that cannot be
    return body.encode() if isinstance(body, str) else body


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
