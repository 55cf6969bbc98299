"""Look up the addresses of a name, in a bounded time.

The system's resolver takes no timeout, and knows what no other does (`/etc/hosts`, search domains). So it is
asked in a thread, which is left behind when it takes too long: a daemon, so that it does not keep a process
from ending. There are at most so many of them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import Future
from threading import BoundedSemaphore, Thread

from alertops.channels.deadline import Deadline
from alertops.channels.dial import Address

AT_ONCE = 64

LookUp = Callable[[str, int], list[Address]]


def ask_system(host: str, port: int) -> list[Address]:
    """All addresses of the name; raises `OSError` when there is none. Takes as long as it takes."""
    # Bytes: a str would be encoded once more, by older rules than ours for international names.
    return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)


class Resolver:
    """Safe to share between threads."""

    def __init__(self, look_up: LookUp = ask_system, at_once: int = AT_ONCE) -> None:
        self._look_up = look_up
        self._places = BoundedSemaphore(at_once)

    def addresses(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        """All addresses of the name; `OSError` when there is none, `TimeoutError` when it takes too long."""
        if not self._places.acquire(timeout=deadline.remaining()):
            raise TimeoutError("too many names are being looked up, and none of them ends")
        answer: Future[list[Address]] = Future()
        Thread(target=self._answer, args=(answer, host, port), daemon=True, name=f"look up {host}").start()
        return answer.result(deadline.remaining())

    def _answer(self, answer: Future[list[Address]], host: str, port: int) -> None:
        try:
            answer.set_result(self._look_up(host, port))
        except Exception as error:  # whatever it is, it is the caller's
            answer.set_exception(error)
        finally:
            self._places.release()
