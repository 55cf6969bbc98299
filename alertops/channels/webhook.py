"""The webhook channel: a notification as a POST to a machine.

The point of no return is the first byte of the request. Up to it every failure is certain: a URL or an
address that must not be spoken to is permanent, and all else passes. After it, the receiver's word counts
(`verdict.py`); when there is none, or nonsense, the message was perhaps taken.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import urlsplit

from alertops.channels.base import Certainty, Channel, ChannelError, Delivery, Notification, Receipt
from alertops.channels.deadline import Deadline
from alertops.channels.endpoint import Endpoint
from alertops.channels.event_body import Event, build_event_body
from alertops.channels.http_exchange import Answer, Headers, NoAnswer, hung_up, post
from alertops.channels.outward import Outward, WebhookSettings
from alertops.channels.resolver import Resolver
from alertops.channels.text import one_line
from alertops.channels.verdict import refusal
from alertops.channels.webhook_body import build_body
from alertops.channels.webhook_signature import identify
from alertops.errors import SecretsError
from alertops.secret_box import SecretBox

# What is kept of an answer is read by people, in the timeline.
MAX_DETAIL = 4096

_USER_AGENT = f"AlertOps/{version('alertops')}"


@dataclass(frozen=True)
class _Parcel:
    """What is posted: where to, under which id, and what signs it."""

    url: str
    key: str
    body: bytes
    sealed_secrets: tuple[str, ...]


class WebhookChannel(Channel):
    """Posts to the URL that is the address; safe to share between threads.

    Raises `OSError` at construction when `ca_file` cannot be read.
    """

    name = "webhook"

    def __init__(
        self, settings: WebhookSettings, public_url: str, secrets: SecretBox, resolver: Resolver | None = None
    ) -> None:
        self._outward = Outward(settings, resolver)
        self._public_url = public_url
        self._secrets = secrets

    def open(self, notification: Notification, *, within_seconds: float) -> AbstractContextManager[Delivery]:
        body = build_body(notification, self._public_url)
        parcel = _Parcel(notification.address, notification.key, body, notification.sealed_secrets)
        return self._open(parcel, within_seconds)

    def open_event(self, event: Event, *, within_seconds: float) -> AbstractContextManager[Delivery]:
        """The same for what a subscriber is told."""
        body = build_event_body(event, self._public_url)
        return self._open(_Parcel(event.url, event.key, body, event.sealed_secrets), within_seconds)

    @contextmanager
    def _open(self, parcel: _Parcel, within_seconds: float) -> Iterator[Delivery]:
        """Look up, connect, and have TLS if it is https; every failure is NOT_SENT."""
        deadline = Deadline(within_seconds)
        endpoint = _endpoint(parcel.url)
        wording = _Wording(endpoint)
        headers = [*_headers(endpoint), *self._identify(parcel)]
        try:
            sock = self._outward.connect(endpoint, deadline)
        # ValueError: a name that cannot be one.
        except (OSError, ValueError) as error:
            raise ChannelError(wording.failure("could not be connected to", error)) from error
        with sock:
            yield _WebhookDelivery(sock, endpoint.target, headers, parcel.body, wording)

    def _identify(self, parcel: _Parcel) -> Headers:
        try:
            return identify(parcel.key, parcel.body, parcel.sealed_secrets, self._secrets)
        except SecretsError as error:
            # Unsigned, it would be refused, or taken for one that somebody made up.
            raise ChannelError(f"could not be signed: {error}") from error


class _WebhookDelivery(Delivery):
    """A connection over which nothing was said yet; `transmit` may be called once."""

    def __init__(
        self, sock: socket.socket, target: str, headers: Headers, body: bytes, wording: _Wording
    ) -> None:
        self._sock = sock
        self._target = target
        self._headers = headers
        self._body = body
        self._wording = wording

    def transmit(self, *, within_seconds: float) -> Receipt:
        deadline = Deadline(within_seconds)
        if within_seconds <= 0:
            raise ChannelError(self._wording.of("was not sent anything: there was no time left"))
        if hung_up(self._sock):
            raise ChannelError(self._wording.of("hung up before anything was sent"))
        try:
            answer = post(self._sock, self._target, self._headers, self._body, deadline)
        except NoAnswer as error:
            detail = self._wording.failure("may have taken the message, but did not answer", error)
            raise ChannelError(detail, certainty=Certainty.UNKNOWN) from error
        return self._receipt(answer)

    def _receipt(self, answer: Answer) -> Receipt:
        """The receipt of an answer that takes the message; raises what any other one means."""
        redirects = answer.status // 100 == 3
        told = self._wording.redirect(answer) if redirects else self._wording.answer(answer)
        if (refused := refusal(answer, told)) is not None:
            raise refused
        return Receipt(told)


@dataclass(frozen=True)
class _Wording:
    """What happened, in words fit for the timeline: one bounded line, without the path, perhaps a secret."""

    endpoint: Endpoint

    def of(self, what: str) -> str:
        return self._fit(f"{self.endpoint} {what}")

    def failure(self, what: str, error: Exception) -> str:
        return self.of(f"{what}: {error or type(error).__name__}")

    def answer(self, answer: Answer) -> str:
        said = f"{answer.status} {answer.reason}".strip()
        if retry_after := answer.headers.get("retry-after"):
            said += f" (retry after {one_line(retry_after, 100)})"
        body = answer.body.decode("utf-8", "replace").strip()
        return self._fit(f"{said}: {body}" if body else said)

    def redirect(self, answer: Answer) -> str:
        location = one_line(answer.headers.get("location", "nowhere"), 500).partition("?")[0]
        return self.of(f"redirects to {location}, which is not followed: {answer.status} {answer.reason}")

    def _fit(self, text: str) -> str:
        target = self.endpoint.target
        path = urlsplit(target).path
        for secret in (target, path):
            if len(secret) > 1:
                text = text.replace(secret, "/***")
        return one_line(text, MAX_DETAIL)


def _endpoint(address: str) -> Endpoint:
    try:
        return Endpoint.of(address)
    except ValueError as error:
        raise ChannelError(one_line(str(error), MAX_DETAIL), permanent=True) from error


def _headers(endpoint: Endpoint) -> Headers:
    return [
        ("Host", endpoint.authority),
        ("User-Agent", _USER_AGENT),
        ("Content-Type", "application/json"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]
