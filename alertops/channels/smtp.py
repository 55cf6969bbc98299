"""An SMTP conversation that keeps a deadline, whatever the server does.

`smtplib` gives each read of a socket its own timeout. Here every read and write gets what remains until one
deadline.
"""

from __future__ import annotations

import io
import re
import smtplib
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from alertops.channels.deadline import Deadline
from alertops.channels.dial import dial

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

# The largest TLS record. A TLS socket's timeout bounds the sending of one record, not of all data.
_CHUNK = 16384

# How long to wait for the answer to QUIT: a courtesy, on which nothing depends.
_QUIT_SECONDS = 1.0


class DeadlineSMTP(smtplib.SMTP):
    """`smtplib.SMTP` whose reads and writes all end by `deadline`, which may be replaced at any time.

    Every failure is an `OSError` (those of `smtplib` and `ssl` are). Looking up the host's name is
    bounded by the resolver alone: the system offers no timeout for it.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        # How many mails the server has accepted in this session.
        self.mails = 0
        # A name is given because smtplib would otherwise look one up in the DNS; dial() sets the real one.
        super().__init__(local_hostname="localhost")

    def dial(self, host: str, port: int) -> None:
        """Connect to the first address of `host` that answers; say nothing yet."""
        self.sock = dial(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), self.deadline)
        self.local_hostname = _own_name(self.sock)

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Start TLS on the connection, now, and forget what the server said before it."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        self.sock.settimeout(self.deadline.remaining())
        self.sock = context.wrap_socket(self.sock, server_hostname=host)
        # Whatever is still buffered came in the clear, perhaps from somebody in between.
        self.file = None
        self.helo_resp = self.ehlo_resp = None

    def greet(self) -> None:
        """Hear the server's greeting and say hello."""
        code, reply = self.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, reply)
        self.ehlo_or_helo_if_needed()

    def upgrade(self, context: ssl.SSLContext, host: str) -> None:
        """STARTTLS, and hello again; raise when the server does not offer it or the certificate fails."""
        if not self.has_extn("starttls"):
            raise smtplib.SMTPNotSupportedError("STARTTLS is required, and the server does not offer it")
        code, reply = self.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPResponseException(code, reply)
        self.secure(context, host)
        self.ehlo_or_helo_if_needed()

    def leave(self) -> None:
        """Say QUIT if there is still somebody to say it to, and close."""
        if self.sock is None:
            return
        self.deadline = Deadline(_QUIT_SECONDS)
        # What the conversation was for is settled: a failing goodbye must not change its outcome.
        with suppress(OSError):
            self.docmd("QUIT")
        self.close()

    def part(self) -> None:
        """Say QUIT, and close without waiting for the answer."""
        self.deadline = Deadline(_QUIT_SECONDS)
        with suppress(OSError):
            self.putcmd("QUIT")
        self.close()

    def send(self, s: ReadableBuffer | str) -> None:
        data = s.encode(self.command_encoding) if isinstance(s, str) else bytes(s)
        for start in range(0, len(data), _CHUNK):
            if self.sock is not None:
                self.sock.settimeout(self.deadline.remaining())
            super().send(data[start : start + _CHUNK])

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_DeadlineReader(self, self.sock))
        return super().getreply()


class _DeadlineReader(io.RawIOBase):
    """The receiving side of a socket, each read bounded by what remains of the conversation's deadline."""

    def __init__(self, smtp: DeadlineSMTP, sock: socket.socket) -> None:
        self._smtp = smtp
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._sock.settimeout(self._smtp.deadline.remaining())
        return self._sock.recv_into(buffer)


def data_of(message: bytes) -> bytes:
    """`message`, with CRLF line ends, as it goes after DATA: dot-stuffed and ended by the final dot."""
    stuffed = re.sub(rb"(?m)^\.", b"..", message)
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")


def _own_name(sock: socket.socket) -> str:
    """This host as EHLO wants it: a full name if it has one, else its address; no DNS query for either."""
    name = socket.gethostname()
    if "." in name:
        return name
    address = str(sock.getsockname()[0])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
