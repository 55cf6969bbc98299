"""The apprise channel: a notification to a place that a team keeps as a destination.

The point of no return is the first byte of a plugin's first request. Up to it every failure is certain. After
it a plugin says True, and the message was taken; or not, and then what was really asked and answered tells::

    the last request was answered      as `verdict.py` has it: taken is no answer that a plugin says False to,
                                       so that a 2xx is perhaps taken
    ... was sent, and not answered     perhaps taken
    ... could not be sent              not taken, and may pass; an address not permitted: for good
    an earlier one had changed something, and a later one failed    perhaps taken
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial

from alertops.channels.apprise.schemes import SCHEMES
from alertops.channels.apprise.services import Place, find_place, secrets_of
from alertops.channels.apprise.talk import Exchange, Talk, WaitWantedError
from alertops.channels.apprise.text import text_of, title_of
from alertops.channels.base import Certainty, Channel, ChannelError, Delivery, Notification, Receipt
from alertops.channels.http_exchange import Answer
from alertops.channels.outward import Outward
from alertops.channels.retry_after import retry_after
from alertops.channels.text import one_line
from alertops.channels.verdict import refusal
from alertops.errors import SecretsError
from alertops.secret_box import SecretBox

MAX_DETAIL = 1000

# As Apprise calls what it shows in red, yellow and blue.
_KINDS = {"critical": "failure", "error": "failure", "warning": "warning", "info": "info"}


class AppriseChannel(Channel):
    """Tells the place whose sealed URL the notification brings; safe to share between threads."""

    name = "apprise"

    def __init__(
        self, outward: Outward, public_url: str, secrets: SecretBox, schemes: Collection[str] = SCHEMES
    ) -> None:
        self._outward = outward
        self._public_url = public_url
        self._secrets = secrets
        self._schemes = schemes

    @contextmanager
    def open(self, notification: Notification, *, within_seconds: float) -> Iterator[Delivery]:
        url = self._url_of(notification)
        try:
            place = find_place(url, self._schemes)
        except ValueError as error:
            raise ChannelError(str(error), permanent=True) from None
        talk = Talk(self._outward, within_seconds)
        wording = _Wording(place, secrets_of(url))
        try:
            notify = partial(_notify, place, talk, notification, self._public_url)
            if not talk.begin(notify, getattr(place.plugin, "say_farewell", None)):
                talk.leave()
                raise _failure(talk, wording)
            yield _AppriseDelivery(talk, wording)
        finally:
            talk.leave()

    def _url_of(self, notification: Notification) -> str:
        if notification.sealed_address is None:
            raise ChannelError("the destination has been deleted", permanent=True)
        try:
            return self._secrets.open(notification.sealed_address)
        except SecretsError as error:
            raise ChannelError(f"the destination's URL could not be opened: {error}") from error


def _notify(place: Place, talk: Talk, notification: Notification, public_url: str) -> bool:
    """In the talk's thread."""
    place.plugin.throttle = talk.pause
    return bool(
        place.plugin.notify(
            body=text_of(notification, public_url),
            title=title_of(notification),
            notify_type=_KINDS.get(notification.severity, "info"),
            body_format="text",
            # One message, whatever its length: of several, some could be taken and some not.
            overflow="truncate",
        )
    )


class _AppriseDelivery(Delivery):
    """A plugin that is about to write its first byte; `transmit` may be called once."""

    def __init__(self, talk: Talk, wording: _Wording) -> None:
        self._talk = talk
        self._wording = wording

    def transmit(self, *, within_seconds: float) -> Receipt:
        if within_seconds <= 0:
            raise ChannelError(self._wording.of("was not sent anything: there was no time left"))
        self._talk.go_on(within_seconds)
        if not self._talk.said:
            raise _failure(self._talk, self._wording)
        answers = [exchange.answer for exchange in self._talk.exchanges if exchange.answer is not None]
        return Receipt(self._wording.answer(answers[-1]) if answers else self._wording.of("has taken it"))


def _failure(talk: Talk, wording: _Wording) -> ChannelError:
    """What is known of a send to which the plugin did not say True."""
    exchanges = talk.exchanges
    if not exchanges:
        return ChannelError(
            wording.of(f"was not sent anything: {_why_nothing(talk)}"), permanent=talk.said is False
        )
    failed = _failed(exchanges[-1], talk, wording)
    changed = any(_changed_something(exchange) for exchange in exchanges[:-1])
    if changed and failed.certainty is Certainty.NOT_SENT:
        failed = ChannelError(
            wording.fit(f"after an earlier request was taken, {failed.detail}"),
            certainty=Certainty.UNKNOWN,
            not_before_seconds=failed.not_before_seconds,
        )
    return failed


def _failed(last: Exchange, talk: Talk, wording: _Wording) -> ChannelError:
    if isinstance(last.error, ChannelError):
        return last.error
    if last.answer is not None:
        told = wording.answer(last.answer)
        refused = refusal(last.answer, told)
        if refused is None:
            told = wording.fit(f"its answer is not understood as a yes: {told}")
            later = retry_after(last.answer.headers)
            return ChannelError(told, certainty=Certainty.UNKNOWN, not_before_seconds=later)
        # Only a webhook's own machine can say that nobody is to come again.
        refused.gone = False
        return refused
    if last.sent:
        what = "may have taken the message, but did not answer"
        return ChannelError(wording.failure(last, what), certainty=Certainty.UNKNOWN)
    return ChannelError(wording.failure(last, "could not be connected to"))


def _changed_something(exchange: Exchange) -> bool:
    answered = exchange.sent and (exchange.answer is None or exchange.answer.status // 100 == 2)
    return answered and exchange.method != "GET"


def _why_nothing(talk: Talk) -> str:
    if isinstance(talk.error, WaitWantedError):
        return str(talk.error)
    if talk.error is not None:
        # Its own words could quote the URL.
        return f"Apprise failed with {type(talk.error).__name__}"
    return "Apprise sees nothing to send" if talk.said is False else "there was no time left"


class _Wording:
    """What happened, in words fit for the timeline: one bounded line without any part of the URL."""

    def __init__(self, place: Place, secrets: set[str]) -> None:
        self._name = place.shown
        self._secrets = sorted(secrets, key=len, reverse=True)

    def of(self, what: str) -> str:
        return one_line(f"{self._name} {what}", MAX_DETAIL)

    def failure(self, exchange: Exchange, what: str) -> str:
        error = exchange.error
        # Ours and the system's words: of hosts, and of time.
        why = "timed out" if error is None else f"{error or type(error).__name__}"
        return self.of(self._masked(f"{what}: {why}"))

    def answer(self, answer: Answer) -> str:
        said = f"{answer.status} {answer.reason}".strip()
        if later := answer.headers.get("retry-after"):
            said += f" (retry after {one_line(later, 100)})"
        # What comes with a yes may be a token (Matrix answers a login with one); with a no, it is the reason.
        taken = answer.status // 100 == 2
        body = "" if taken else answer.body[: 4 * MAX_DETAIL].decode("utf-8", "replace").strip()
        return self.fit(f"{said}: {body}" if body else said)

    def fit(self, text: str) -> str:
        return one_line(self._masked(text), MAX_DETAIL)

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text
