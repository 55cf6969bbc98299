"""Sessions with the mail server that have just handed over a mail, kept for some seconds for the next one.

Otherwise each mail of a storm would have a connection, a greeting, a TLS handshake and a login of its own;
and many servers count connections. Only a session whose last mail was accepted is kept: in any other it may
not be known where the conversation stands.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from alertops.channels.smtp import DeadlineSMTP

# Shorter than any server waits for the next command (RFC 5321, 4.5.3.2.7: five minutes; Postfix under stress:
# ten seconds), and than any firewall remembers a connection.
IDLE_SECONDS = 5.0
# Servers end a session after so many, some of them with an error.
MAX_MAILS = 100


class _Idle(NamedTuple):
    smtp: DeadlineSMTP
    since: float

    def is_stale(self, now: float) -> bool:
        return now - self.since > IDLE_SECONDS


class KeptSessions:
    """At most as many as were in use at once; each is one thread's at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # In the order in which they were kept.
        self._idle: list[_Idle] = []

    def take(self) -> DeadlineSMTP | None:
        """The one that was used last, if there is one: the server is least likely to have ended it."""
        with self._lock:
            last = self._idle.pop() if self._idle else None
        if last is None or not last.is_stale(time.monotonic()):
            return last and last.smtp
        last.smtp.part()
        # Whatever was kept before it is as stale.
        self.close_idle()
        return None

    def keep(self, smtp: DeadlineSMTP) -> None:
        """For the next mail; the last one was accepted."""
        if smtp.mails >= MAX_MAILS:
            smtp.part()
            return
        with self._lock:
            self._idle.append(_Idle(smtp, time.monotonic()))

    def close_idle(self) -> None:
        """Those for which there was no next mail. Waits for nobody."""
        with self._lock:
            now = time.monotonic()
            stale = [idle for idle in self._idle if idle.is_stale(now)]
            self._idle = [idle for idle in self._idle if not idle.is_stale(now)]
        for idle in stale:
            idle.smtp.part()
