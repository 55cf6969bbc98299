"""Clients that post alerts as fast as they are answered, from one process, at little cost of their own.

Each is a thread with one connection that is kept. What they send was made beforehand; of an answer they read
the status and as many bytes as it says.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Posted:
    """What came of it: answers by their status, and how long each took."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    took: float = 0.0

    @property
    def accepted(self) -> int:
        return sum(count for status, count in self.statuses.items() if status // 100 == 2)

    @property
    def refused(self) -> int:
        return self.statuses[429]


@dataclass(frozen=True)
class Target:
    """Where to post, and as whom."""

    url: str
    key: str = ""

    def request(self, body: bytes) -> bytes:
        parts = urlsplit(self.url)
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class Line:
    """One connection; it is made again when the server has closed it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._socket: socket.socket | None = None

    def post(self, request: bytes) -> tuple[int, dict[bytes, bytes]]:
        """The status of the answer, and its headers in lower case."""
        for _ in range(2):
            if self._socket is None:
                self._socket = socket.create_connection(self._address)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self._socket.sendall(request)
                return self._answer(self._socket)
            except ConnectionError:
                self.close()
        raise ConnectionError(f"{self._address} hangs up")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _answer(self, line: socket.socket) -> tuple[int, dict[bytes, bytes]]:
        data = b""
        while b"\r\n\r\n" not in data:
            more = line.recv(65536)
            if not more:
                raise ConnectionResetError
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        status, *fields = head.split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(b": ") for each in fields)}
        missing = int(headers.get(b"content-length", 0)) - len(body)
        while missing > 0:
            missing -= len(line.recv(65536))
        if headers.get(b"connection") == b"close":
            self.close()
        return int(status.split()[1]), headers


def post_for(
    target: Target,
    bodies: Callable[[], bytes],
    *,
    clients: int,
    seconds: float = float("inf"),
    count: float = float("inf"),
) -> Posted:
    """Have so many clients post until the time is over, or so many requests were answered with 2xx.

    One that is refused with 429 waits as long as it is told to, as a client should.
    """
    posted, lock = Posted(), threading.Lock()
    until = time.monotonic() + seconds
    left = [count]

    def client() -> None:
        line = Line(target.url)
        while time.monotonic() < until:
            with lock:
                if left[0] < 1:
                    break
                left[0] -= 1
            request = target.request(bodies())
            began = time.perf_counter()
            status, headers = line.post(request)
            took = time.perf_counter() - began
            with lock:
                posted.statuses[status] += 1
                posted.seconds.append(took)
                left[0] += status == 429
            if status == 429:
                time.sleep(min(float(headers.get(b"retry-after", 1)), max(0.0, until - time.monotonic())))
        line.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    posted.took = time.monotonic() - began
    return posted
