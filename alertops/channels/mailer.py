"""The mailer: one message to one mailbox over SMTP.

The point of no return is the DATA command. Up to it every failure is certain, and most pass: a
mailbox refused for good (5xx) is permanent; a busy or unreachable server, a bad certificate and a
wrong password are not, because an operator may repair them while the retry policy bounds the tries.
After it, a refusal is still certain, but silence is not: the server may have taken the message.
"""

from __future__ import annotations

import base64
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Literal

from alertops.channels.address import ascii_address
from alertops.channels.base import Certainty, ChannelError, Delivery, Receipt
from alertops.channels.deadline import Deadline
from alertops.channels.kept_sessions import KeptSessions
from alertops.channels.smtp import DeadlineSMTP, data_of
from alertops.channels.text import one_line

MAX_DETAIL = 500

# Refusals for want of a login or of TLS (RFC 4954): about the settings, not about the mailbox.
_REPAIRABLE = frozenset({530, 534, 535, 538})

# A session that was kept answers at once, or is gone; half of the time, at least, is left for a new one.
_KEPT_ANSWERS_SECONDS = 1.0


@dataclass(frozen=True)
class SmtpSettings:
    """Where mail is handed over, and as whom.

    `security` is what the connection must have: `starttls` and `tls` verify the server's certificate
    against `ca_file` (the system's authorities when it is None) and never fall back to clear text.
    With `none` a login sends the password in the clear: for a relay on the same host or network.

    Raises `ValueError` when the values cannot work together.
    """

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: str | None
    password: str | None = field(repr=False)
    mail_from: str
    ca_file: str | None = None

    def __post_init__(self) -> None:
        ascii_address(self.mail_from)
        if (self.username is None) != (self.password is None):
            raise ValueError("The mail server's user name and password are given both or not at all.")
        if not f"{self.username}{self.password}".isascii():
            raise ValueError("The mail server's user name and password must be ASCII.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password in every form in which it goes over the wire."""
        if not self.password:
            return ()
        spoken = (self.password, f"\0{self.username}\0{self.password}")
        return (self.password, *(base64.b64encode(text.encode()).decode() for text in spoken))


class Mailer:
    """Sends over the mail server of `settings`; safe to share between threads.

    Raises `OSError` at construction when `ca_file` cannot be read.
    """

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._kept = KeptSessions()
        self._tls = None
        if settings.security != "none":
            self._tls = ssl.create_default_context(cafile=settings.ca_file)

    @property
    def mail_from(self) -> str:
        return self._settings.mail_from

    @contextmanager
    def open(self, message: EmailMessage, *, within_seconds: float) -> Iterator[Delivery]:
        """Have sender and recipient accepted, in a kept session or a new one; every failure is NOT_SENT."""
        wording = _Wording(self._settings.secrets)
        data = data_of(bytes(message))
        smtp = self._begin(str(message["From"]), Deadline(within_seconds), wording)
        delivery = _MailDelivery(smtp, data, wording)
        try:
            self._ask(smtp, "RCPT", f"TO:<{message['To']}>", wording)
            yield delivery
        finally:
            if delivery.accepted:
                self._kept.keep(smtp)
            else:
                smtp.leave()

    def close_idle(self) -> None:
        """End the sessions that were kept, and had no next mail; to be called now and then."""
        self._kept.close_idle()

    def _begin(self, sender: str, deadline: Deadline, wording: _Wording) -> DeadlineSMTP:
        """A session that has accepted the sender."""
        command = f"FROM:<{sender}>"
        kept = self._kept.take()
        if kept is not None:
            kept.deadline = deadline.within(min(_KEPT_ANSWERS_SECONDS, deadline.left() / 2))
            if _accepts(kept, "MAIL", command):
                kept.deadline = deadline
                return kept
        smtp = DeadlineSMTP(deadline)
        try:
            with self._failing(smtp, wording):
                self._enter(smtp)
            self._ask(smtp, "MAIL", command, wording)
        except ChannelError:
            smtp.leave()
            raise
        return smtp

    def _ask(self, smtp: DeadlineSMTP, verb: str, rest: str, wording: _Wording) -> None:
        with self._failing(smtp, wording):
            code, reply = smtp.docmd(verb, rest)
        wording.require(code // 100 == 2, verb, code, reply)

    @contextmanager
    def _failing(self, smtp: DeadlineSMTP, wording: _Wording) -> Iterator[None]:
        """Whatever fails in here is told as the server's failure."""
        try:
            yield
        # UnicodeError: a host name that cannot be looked up.
        except (OSError, UnicodeError) as error:
            smtp.close()
            server = f"{self._settings.host}:{self._settings.port}"
            raise ChannelError(wording.failure(f"The mail server {server} failed", error)) from error

    def _enter(self, smtp: DeadlineSMTP) -> None:
        settings = self._settings
        smtp.dial(settings.host, settings.port)
        if self._tls and settings.security == "tls":
            smtp.secure(self._tls, settings.host)
        smtp.greet()
        if self._tls and settings.security == "starttls":
            smtp.upgrade(self._tls, settings.host)
        if settings.username is not None and settings.password is not None:
            smtp.login(settings.username, settings.password)


def _accepts(kept: DeadlineSMTP, verb: str, rest: str) -> bool:
    """Whether a session that was kept goes on; one that does not is closed."""
    try:
        code, _ = kept.docmd(verb, rest)
    except OSError:
        kept.close()
        return False
    if code // 100 != 2:
        kept.part()
    return code // 100 == 2


class _MailDelivery(Delivery):
    """A conversation whose envelope is accepted; `transmit` may be called once."""

    def __init__(self, smtp: DeadlineSMTP, data: bytes, wording: _Wording) -> None:
        self._smtp = smtp
        self._data = data
        self._wording = wording
        self.accepted = False

    def transmit(self, *, within_seconds: float) -> Receipt:
        self._smtp.deadline = Deadline(within_seconds)
        self._ask_to_send()
        try:
            self._smtp.send(self._data)
            code, reply = self._smtp.getreply()
        except OSError as error:
            self._smtp.close()
            detail = self._wording.failure("The mail server may have taken the message, but was lost", error)
            raise ChannelError(detail, certainty=Certainty.UNKNOWN) from error
        if code // 100 in (2, 4, 5):
            self._wording.require(code // 100 == 2, "the message", code, reply)
            self.accepted = True
            self._smtp.mails += 1
            return Receipt(self._wording.reply(code, reply))
        detail = self._wording.reply(code, reply, "The mail server answered the message with nonsense:")
        raise ChannelError(detail, certainty=Certainty.UNKNOWN)

    def _ask_to_send(self) -> None:
        try:
            code, reply = self._smtp.docmd("DATA")
        except OSError as error:
            self._smtp.close()
            detail = self._wording.failure("The mail server was lost before the message was sent", error)
            raise ChannelError(detail) from error
        self._wording.require(code == 354, "DATA", code, reply)


@dataclass(frozen=True)
class _Wording:
    """What the server said, in words fit for the timeline: one bounded line without the password."""

    secrets: tuple[str, ...]

    def require(self, accepted: bool, what: str, code: int, reply: bytes) -> None:
        """Raise the certain `ChannelError` of a refusal unless the server accepted."""
        if not accepted:
            permanent = code // 100 == 5 and code not in _REPAIRABLE
            detail = self.reply(code, reply, f"The mail server refused {what}:")
            raise ChannelError(detail, permanent=permanent)

    def reply(self, code: int, reply: bytes | str, prefix: str = "") -> str:
        text = reply if isinstance(reply, str) else reply.decode("utf-8", "replace")
        return self._fit(f"{prefix} {code} {text}")

    def failure(self, what: str, error: Exception) -> str:
        if isinstance(error, smtplib.SMTPResponseException):
            return self.reply(error.smtp_code, error.smtp_error, f"{what}:")
        return self._fit(f"{what}: {error or type(error).__name__}")

    def _fit(self, text: str) -> str:
        # Secrets first: cutting or cleaning could leave a part of one that is no longer recognised.
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return one_line(text, MAX_DETAIL)
