"""An SMTP server that keeps what it receives, and behaves badly towards a mailbox when told to.

::

    with SmtpSink() as sink:
        sink.behave("ops@example.org", Refuse(451, times=2))   # then accepts
        ...
        message = sink.wait_for_messages(1, timeout=10)[0]
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal, Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Stage = Literal["rcpt", "data"]


@dataclass(frozen=True)
class Accept:
    """Take the message: what every mailbox does when it has no other script, or came to its end."""

    times: int | None = None


@dataclass(frozen=True)
class Refuse:
    """Answer `code` at RCPT or after the final dot; `times` mails long, or always."""

    code: int
    at: Stage = "rcpt"
    times: int | None = None


@dataclass(frozen=True)
class Hang:
    """Take the message, and answer only after `seconds`; or hang at RCPT, before there is a message."""

    seconds: float
    at: Stage = "data"
    times: int | None = None


@dataclass(frozen=True)
class Drop:
    """Take the message, and close the connection without an answer."""

    times: int | None = None


Behaviour = Accept | Refuse | Hang | Drop


@dataclass(frozen=True)
class Event:
    """How one mail to one recipient ended: the answer and its stage; dropped or hanging, it has no code."""

    at: datetime
    address: str
    stage: Stage
    code: int | None


@dataclass(frozen=True)
class Received:
    """One message that was taken, answered or not. `received_at` is when its final dot was read."""

    received_at: datetime
    mail_from: str
    rcpt_to: tuple[str, ...]
    raw: bytes
    message: EmailMessage

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def is_alert(self) -> bool:
        return self.message["X-AlertOps-Execution"] is not None

    def alertops(self, name: str) -> str:
        """The value of a header of ours: `alertops("Attempt")`."""
        return str(self.message[f"X-AlertOps-{name}"])


class SmtpSink:
    """Listens on a free port of 127.0.0.1 between `start` and `stop`; every method is thread-safe.

    With `users` a login is required; with `tls` the server offers STARTTLS, or speaks TLS from the
    first byte if `implicit_tls`.
    """

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
    ) -> None:
        self._users = users
        self._changed = threading.Condition()
        self._scripts: defaultdict[str, deque[Behaviour]] = defaultdict(deque)
        self._messages: list[Received] = []
        self._events: list[Event] = []
        self._controller = _Controller(
            _Handler(self),
            hostname="127.0.0.1",
            port=0,
            server_hostname="sink.test",
            enable_SMTPUTF8=False,
            ssl_context=tls if implicit_tls else None,
            tls_context=None if implicit_tls else tls,
            authenticator=self._authenticate,
            auth_required=users is not None,
            auth_require_tls=tls is not None and not implicit_tls,
        )

    def start(self) -> Self:
        self._controller.start()
        return self

    def stop(self) -> None:
        self._controller.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return self._controller.port

    @property
    def messages(self) -> tuple[Received, ...]:
        with self._changed:
            return tuple(self._messages)

    @property
    def events(self) -> tuple[Event, ...]:
        with self._changed:
            return tuple(self._events)

    @property
    def alerts(self) -> tuple[Received, ...]:
        """The messages that are alerts, and not letters about accounts and teams."""
        return tuple(received for received in self.messages if received.is_alert)

    def behave(self, address: str, *script: Behaviour) -> None:
        """From now on `address` follows `script`, one behaviour after another, and then accepts."""
        with self._changed:
            self._scripts[address] = deque(script)

    def wait_until(self, predicate: Callable[[], bool], timeout: float) -> None:
        """Wait for `predicate`, asked again after each message and event; raise `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(predicate, timeout):
                raise TimeoutError(
                    f"not within {timeout} s; {len(self._messages)} messages, events: {self._events}"
                )

    def wait_for_messages(self, count: int, timeout: float) -> tuple[Received, ...]:
        """The messages, once there are at least `count`; raise `TimeoutError`."""
        self.wait_until(lambda: len(self._messages) >= count, timeout)
        return self.messages

    def _next_behaviour(self, address: str) -> Behaviour:
        with self._changed:
            script = self._scripts[address]
            if not script:
                return Accept()
            behaviour = script.popleft()
            if behaviour.times is None:
                script.appendleft(behaviour)
            elif behaviour.times > 1:
                script.appendleft(_with_times(behaviour, behaviour.times - 1))
            return behaviour

    def _record(self, address: str, stage: Stage, code: int | None) -> None:
        with self._changed:
            self._events.append(Event(datetime.now(UTC), address, stage, code))
            self._changed.notify_all()

    def _keep(self, envelope: Envelope) -> None:
        raw = envelope.original_content or b""
        message = message_from_bytes(raw, policy=policy.SMTP)
        with self._changed:
            self._messages.append(
                Received(datetime.now(UTC), str(envelope.mail_from), tuple(envelope.rcpt_tos), raw, message)
            )
            self._changed.notify_all()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: LoginPassword
    ) -> AuthResult:
        known = (self._users or {}).get(login.login.decode())
        return AuthResult(success=known == login.password.decode(), handled=False)


class _Handler:
    """Turns aiosmtpd's hooks into the behaviours of the sink's scripts."""

    def __init__(self, sink: SmtpSink) -> None:
        self._sink = sink
        self._scripted: dict[int, Behaviour] = {}

    async def handle_RCPT(  # noqa: N802 - aiosmtpd finds a hook by its name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        behaviour = self._sink._next_behaviour(address)
        if isinstance(behaviour, Refuse) and behaviour.at == "rcpt":
            self._sink._record(address, "rcpt", behaviour.code)
            return f"{behaviour.code} refused by script"
        if isinstance(behaviour, Hang) and behaviour.at == "rcpt":
            self._sink._record(address, "rcpt", None)
            await asyncio.sleep(behaviour.seconds)
        envelope.rcpt_tos.append(address)
        # One mail has one recipient here; of several, the last decides.
        self._scripted[id(envelope)] = behaviour
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        behaviour = self._scripted.pop(id(envelope))
        address = envelope.rcpt_tos[-1]
        if isinstance(behaviour, Refuse):
            self._sink._record(address, "data", behaviour.code)
            return f"{behaviour.code} refused by script"
        self._sink._keep(envelope)
        if isinstance(behaviour, Drop):
            self._sink._record(address, "data", None)
            cast(asyncio.Transport, server.transport).abort()
            # The connection is gone; its end cancels this task, which has nothing more to say.
            await asyncio.Future()
        if isinstance(behaviour, Hang) and behaviour.at == "data":
            await asyncio.sleep(behaviour.seconds)
        self._sink._record(address, "data", 250)
        return "250 OK"


class _Controller(Controller):
    """Listens on the port that the system picks."""

    def _trigger_server(self) -> None:
        self.port = cast(asyncio.Server, self.server).sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd left it without types


def _with_times(behaviour: Behaviour, times: int) -> Behaviour:
    return type(behaviour)(**{**vars(behaviour), "times": times})
