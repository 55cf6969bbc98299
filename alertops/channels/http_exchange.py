"""One request and its answer in HTTP/1.1, over a connection that is open, by one deadline.

h11 knows the protocol and touches no socket: what it makes is written here, what comes is read here and given
to it. So each wait is ours to bound, and the first byte of the request is ours to know.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import h11

from alertops.channels.deadline import Deadline

# The largest TLS record. A TLS socket's timeout bounds the sending of one record, not of all data.
_CHUNK = 16384
# The bounds of an answer: the status line and the headers together, and what is read of the body.
MAX_HEAD = 16384
MAX_BODY = 4096
# How long to wait for the body where the outcome is known before it, so that it only explains.
_BODY_SECONDS = 1.0

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What came back: the body as far as it was read, header names in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(Exception):  # noqa: N818  an outcome, and not always a fault
    """The request was sent, at least in part, and what came back, if anything, is no answer."""


def hung_up(sock: socket.socket) -> bool:
    """Whether the other side has closed, or speaks unasked, before anything was sent.

    Reading tells, also where TLS has something to say for itself (session tickets).
    """
    sock.settimeout(0)
    try:
        sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    return True


@dataclass(frozen=True)
class Request:
    """What is asked: the headers without `Content-Length`, which follows from the body."""

    method: str
    target: str
    headers: Headers
    body: bytes

    def __repr__(self) -> str:
        return self.method  # all else may be a secret


def post(sock: socket.socket, target: str, headers: Headers, body: bytes, deadline: Deadline) -> Answer:
    """Send a POST and read the answer; `NoAnswer` when the connection ends without one."""
    return ask(sock, Request("POST", target, headers, body), deadline)


def ask(
    sock: socket.socket,
    request: Request,
    deadline: Deadline,
    *,
    max_body: int = MAX_BODY,
    body_seconds: float = _BODY_SECONDS,
) -> Answer:
    """Send any request, as `post` does; of the answer's body so much is read, and waited for so long."""
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    headers = [*request.headers, ("Content-Length", str(len(request.body)))]
    asked = h11.Request(method=request.method, target=request.target, headers=headers)
    data = (http.send(asked) or b"") + (http.send(h11.Data(data=request.body)) or b"")
    http.send(h11.EndOfMessage())
    try:
        # Who has read enough may answer and hang up before it has read all.
        with suppress(ConnectionError):
            _write(sock, data, deadline)
        head = _head(sock, http, deadline)
    except (OSError, h11.RemoteProtocolError) as error:
        raise NoAnswer(str(error) or type(error).__name__) from error
    return Answer(
        status=head.status_code,
        reason=head.reason.decode("latin-1"),
        headers={name.decode("ascii"): value.decode("latin-1") for name, value in head.headers},
        body=_beginning_of_body(sock, http, deadline.within(body_seconds), max_body),
    )


def _write(sock: socket.socket, data: bytes, deadline: Deadline) -> None:
    for start in range(0, len(data), _CHUNK):
        sock.settimeout(deadline.remaining())
        sock.sendall(data[start : start + _CHUNK])


def _head(sock: socket.socket, http: h11.Connection, deadline: Deadline) -> h11.Response:
    """The answer without its body; what informs on the way (1xx) is passed over."""
    while True:
        event = _next(sock, http, deadline)
        if isinstance(event, h11.Response):
            return event
        if not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("the connection was closed without an answer")


def _beginning_of_body(sock: socket.socket, http: h11.Connection, deadline: Deadline, most: int) -> bytes:
    """What can be had of the body: whatever goes wrong here changes nothing of what the head has said."""
    body = b""
    with suppress(OSError, h11.RemoteProtocolError):
        while len(body) < most and isinstance(event := _next(sock, http, deadline), h11.Data):
            body += bytes(event.data)
    return body[:most]


def _next(sock: socket.socket, http: h11.Connection, deadline: Deadline) -> object:
    while (event := http.next_event()) is h11.NEED_DATA:
        sock.settimeout(deadline.remaining())
        http.receive_data(sock.recv(_CHUNK))
    return event
