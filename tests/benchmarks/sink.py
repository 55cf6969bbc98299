"""A mail server that costs next to nothing, in a process of its own, and notes when each mail came.

What is measured must not wait for the mail server. This one takes some thousands of mails a second from one
core; `python -m tests.benchmarks --only floor` measures how many. It keeps of a mail only when its final dot
was read and which job it was for, as told by a header.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple, Self

ADDRESS = "127.0.0.1"
JOB_HEADER = "X-Job"
_JOB = re.compile(rb"^(?:X-Job|X-AlertOps-Execution): *(\S+)", re.MULTILINE | re.IGNORECASE)
_DOT = b"\r\n.\r\n"


class Arrival(NamedTuple):
    """A mail that was taken: for which job, and when, in seconds since 1970."""

    job: str
    at: float


class MailSink:
    """Runs while it is entered. `pid` is that of its process, to see how much of the processor it takes."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.port = 0

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def __enter__(self) -> Self:
        self._process.start()
        self.port = self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def count(self) -> int:
        """How many came since `take` was called last."""
        return int(self._ask("count"))

    def take(self) -> Sequence[Arrival]:
        """Those, and begin anew."""
        return [Arrival(job, at) for job, at in self._ask("take")]

    def wait_for(self, count: int, within: float) -> bool:
        """Wait until so many have come; whether they have."""
        deadline = time.monotonic() + within
        while self.count() < count:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def _ask(self, question: str) -> object:
        self._ours.send(question)
        return self._ours.recv()


def _serve(pipe: Connection) -> None:
    asyncio.run(_listen(pipe))


async def _listen(pipe: Connection) -> None:
    arrivals: list[tuple[str, float]] = []

    def answer() -> None:
        if pipe.recv() == "count":
            pipe.send(len(arrivals))
        else:
            pipe.send(arrivals.copy())
            arrivals.clear()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Conversation(arrivals), ADDRESS, 0, backlog=512)
    loop.add_reader(pipe.fileno(), answer)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Conversation(asyncio.Protocol):
    """One connection. Commands may come pipelined, and several mails one after the other."""

    def __init__(self, arrivals: list[tuple[str, float]]) -> None:
        self._arrivals = arrivals
        self._buffer = b""
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._take_mail() if self._in_data else self._take_command():
            pass

    def _take_command(self) -> bool:
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            return False
        self._buffer = rest
        verb = line[:4].upper()
        if verb == b"DATA":
            self._in_data = True
            self._transport.write(b"354 go on\r\n")
        elif verb == b"EHLO":
            self._transport.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        elif verb == b"QUIT":
            self._transport.write(b"221 bye\r\n")
            self._transport.close()
        else:
            self._transport.write(b"250 OK\r\n")
        return True

    def _take_mail(self) -> bool:
        end = self._buffer.find(_DOT)
        if end < 0:
            return False
        found = _JOB.search(self._buffer, 0, end)
        self._arrivals.append((found.group(1).decode() if found else "", time.time()))
        self._buffer = self._buffer[end + len(_DOT) :]
        self._in_data = False
        self._transport.write(b"250 taken\r\n")
        return True
