"""An HTTP server that keeps the webhooks that it receives, and behaves badly at a path when told to.

::

    with HookSink() as sink:
        sink.behave("/pager", Reply(503, kept=False, times=2), Reply())   # again and again
        ... sink.url("/pager") ...
        assert sink.received[0].headers["webhook-id"]
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, cycle, repeat
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """Answer `status` after some seconds, or hang up when it is None; so many times.

    What is refused is not `kept`: its sender is told that nobody has it.
    """

    status: int | None = 200
    seconds: float = 0.0
    kept: bool = True
    times: int = 1


@dataclass(frozen=True)
class ReceivedHook:
    """One request that was read to its end. Names of headers are in lower case."""

    received_at: datetime
    url: str
    headers: Mapping[str, str]
    body: bytes


class HookSink:
    """Listens on a free port of 127.0.0.1 while it is entered; every method is thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: dict[str, Iterator[Reply]] = {}
        self._of_all: Reply | None = None
        self._received: list[ReceivedHook] = []
        self._stopped = threading.Event()
        self._server = _Server(self)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    @property
    def received(self) -> tuple[ReceivedHook, ...]:
        """What was kept, in the order in which it came."""
        with self._lock:
            return tuple(self._received)

    def behave(self, path: str, *script: Reply) -> None:
        """What is done there, again and again."""
        turns = chain.from_iterable(repeat(reply, reply.times) for reply in cycle(script))
        with self._lock:
            self._scripts[path] = turns

    def all_alike(self, reply: Reply | None) -> None:
        """What is done everywhere; with None, each path does what it was told before."""
        with self._lock:
            self._of_all = reply

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Keep the request if its answer says so; the server asks this for each."""
        with self._lock:
            reply = self._of_all or next(self._scripts.get(path, repeat(Reply())))
            if reply.kept:
                self._received.append(ReceivedHook(datetime.now(UTC), self.url(path), headers, body))
        return reply

    def pause(self, seconds: float) -> None:
        """Wait; not for longer than there is anybody to wait for."""
        self._stopped.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, sink: HookSink) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sink = sink

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that is killed in mid-request is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.sink.take(self.path, headers, body)
        self.server.sink.pause(reply.seconds)
        self.close_connection = True
        if reply.status is None:
            return
        with suppress(OSError):  # its sender has given up
            self.send_response(reply.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what came is kept, and there is nobody to read a log."""
