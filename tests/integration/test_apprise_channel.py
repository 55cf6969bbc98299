"""The apprise channel, to receivers that speak what the services' documentation says.

ntfy: https://docs.ntfy.sh/publish/#publish-as-json; Mattermost:
https://developers.mattermost.com/integrate/webhooks/incoming/; Telegram: https://core.telegram.org/bots/api.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from alertops.channels.apprise.channel import AppriseChannel
from alertops.channels.apprise.schemes import SCHEMES
from alertops.channels.base import Certainty, ChannelError, Notification, Receipt
from alertops.channels.outward import Outward, WebhookSettings
from alertops.channels.resolver import LookUp, Resolver
from alertops.secret_box import SecretBox
from tests.api_environment import SECRETS_KEY
from tests.integration.hooking import LOOPBACK, PUBLIC_URL, Authority, found
from tests.integration.raw_http import TAKEN, RawReceiver, answer, raw_receiver, silence

HOOK = "3ccdd113474722377935511fc85d3dd4"
BOT = "123456789:abcdefg_hijklmnop"
KEY = "0b5d5a3e.1.1"


def apprise(
    *,
    allowed: str | None = LOOPBACK,
    ca_file: Path | None = None,
    look_up: LookUp | None = None,
    schemes: frozenset[str] = SCHEMES,
) -> AppriseChannel:
    networks = (ip_network(allowed),) if allowed else ()
    settings = WebhookSettings(networks, str(ca_file) if ca_file else None)
    outward = Outward(settings, Resolver(look_up) if look_up else None)
    return AppriseChannel(outward, PUBLIC_URL, SecretBox([SECRETS_KEY]), schemes)


def alert(url: str | None, **more: Any) -> Notification:
    return Notification(
        key=KEY,
        address="1f0b",
        execution_id="0b5d5a3e",
        step=1,
        target=1,
        attempt=1,
        severity=more.pop("severity", "critical"),
        summary="Disk is full",
        details=more.pop("details", {"host": "db1"}),
        team_name="Ops",
        flow_name="Database",
        node_name="Chat",
        started_at=datetime(2026, 3, 1, 2, 0, tzinfo=UTC),
        sealed_address=None if url is None else SecretBox([SECRETS_KEY]).seal(url),
        **more,
    )


def send(notification: Notification, over: AppriseChannel | None = None, within: float = 5) -> Receipt:
    with (over or apprise()).open(notification, within_seconds=within) as delivery:
        return delivery.transmit(within_seconds=within)


def failure(url: str | None, over: AppriseChannel | None = None, within: float = 5) -> ChannelError:
    with pytest.raises(ChannelError) as failed:
        send(alert(url), over, within)
    return failed.value


def ntfy(receiver: RawReceiver) -> str:
    return f"ntfy://{receiver.host}:{receiver.port}/our-secret-topic"


def mattermost(receiver: RawReceiver) -> str:
    return f"mmost://{receiver.host}:{receiver.port}/{HOOK}"


TEXT = [
    "Team: Ops",
    "Flow: Database",
    "Node: Chat",
    "Started: 2026-03-01 02:00:00+00:00",
    f"Execution: {PUBLIC_URL}/api/v1/executions/0b5d5a3e",
    f"Message: {KEY}",
    "Details",
    'host: "db1"',
]


def test_ntfy_is_published_to_as_its_documentation_says() -> None:
    with raw_receiver(TAKEN) as receiver:
        assert send(alert(ntfy(receiver))) == Receipt("200 OK")
    [request] = receiver.requests
    assert request.line == "POST / HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "topic": "our-secret-topic",
        "title": "[critical] Disk is full",
        "message": "\n".join(TEXT),
    }


def test_a_webhook_of_mattermost_is_posted_to_as_its_documentation_says() -> None:
    with raw_receiver(TAKEN) as receiver:
        assert send(alert(mattermost(receiver))) == Receipt("200 OK")
    [request] = receiver.requests
    assert request.line == f"POST /hooks/{HOOK} HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    said = json.loads(request.body)
    assert said["text"].splitlines() == ["[critical] Disk is full", *TEXT]


def test_a_service_with_a_host_of_its_own_is_spoken_to_by_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    taken = answer("200 OK", "Content-Type: application/json", body=b'{"ok": true, "result": {}}')
    with raw_receiver(taken, tls=authority.server("api.telegram.org")) as receiver:
        over = apprise(ca_file=authority.file, look_up=lambda host, _: at(receiver, host, "api.telegram.org"))
        assert send(alert(f"tgram://{BOT}/12315544/"), over) == Receipt("200 OK")
    [request] = receiver.requests
    assert request.line == f"POST /bot{BOT}/sendMessage HTTP/1.1"
    said = json.loads(request.body)
    assert str(said["chat_id"]) == "12315544"
    assert "Disk is full" in said["text"]
    assert KEY in said["text"]


def at(receiver: RawReceiver, host: str, expected: str) -> Any:
    assert host == expected
    return found(receiver.host, port=receiver.port)


def test_another_host_that_stands_in_for_a_service_is_told_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with raw_receiver(TAKEN, tls=authority.server("evil.example.com")) as receiver:
        over = apprise(ca_file=authority.file, look_up=lambda host, _: at(receiver, host, "api.telegram.org"))
        failed = failure(f"tgram://{BOT}/12315544/", over)
    assert (failed.certainty, failed.permanent) == (Certainty.NOT_SENT, False)
    assert receiver.requests == []


def test_a_repeat_says_that_it_may_be_one_and_names_the_same_message() -> None:
    with raw_receiver(TAKEN) as receiver:
        send(alert(ntfy(receiver)))
        send(alert(ntfy(receiver), may_repeat=True))
    first, again = (json.loads(request.body)["message"].splitlines() for request in receiver.requests)
    assert again == ["This may be a repeat of a message that you have received already.", *first]
    assert f"Message: {KEY}" in first


def test_a_long_alert_is_one_message() -> None:
    with raw_receiver(TAKEN) as receiver:
        send(alert(mattermost(receiver), details={f"name {n}": "x" * 900 for n in range(50)}))
    [request] = receiver.requests
    assert len(json.loads(request.body)["text"]) <= 4000


@pytest.mark.parametrize(
    ("said", "certainty", "permanent"),
    [
        ("400 Bad Request", Certainty.NOT_SENT, True),
        ("404 Not Found", Certainty.NOT_SENT, True),
        ("410 Gone", Certainty.NOT_SENT, True),
        ("429 Too Many Requests", Certainty.NOT_SENT, False),
        ("500 Internal Server Error", Certainty.NOT_SENT, False),
        ("502 Bad Gateway", Certainty.UNKNOWN, False),
        ("204 No Content", Certainty.UNKNOWN, False),
    ],
)
def test_an_answer_that_is_no_yes_is_what_it_says(said: str, certainty: Certainty, permanent: bool) -> None:
    """ntfy answers 200; what Apprise does not take for a yes may be one all the same."""
    with raw_receiver(answer(said, "Retry-After: 7", body=b"because")) as receiver:
        failed = failure(ntfy(receiver))
    assert len(receiver.requests) == 1
    assert (failed.certainty, failed.permanent, failed.not_before_seconds) == (certainty, permanent, 7)
    assert said in failed.detail
    assert failed.gone is False


def test_a_redirect_is_not_followed() -> None:
    with raw_receiver(TAKEN) as inside:
        with raw_receiver(answer("302 Found", f"Location: {inside.url()}")) as receiver:
            failed = failure(ntfy(receiver))
        assert inside.connections == 0
    assert (failed.certainty, failed.permanent) == (Certainty.NOT_SENT, True)


def test_an_address_that_is_not_public_is_not_connected_to() -> None:
    with raw_receiver(TAKEN) as receiver:
        failed = failure(ntfy(receiver), apprise(allowed=None))
        assert receiver.connections == 0
    assert (failed.certainty, failed.permanent) == (Certainty.NOT_SENT, True)
    assert "is not a public address" in failed.detail


def test_a_name_is_looked_up_once_so_that_it_cannot_mean_something_else_a_moment_later() -> None:
    with raw_receiver(TAKEN) as receiver:
        answers = [found(receiver.host, port=receiver.port)]
        over = apprise(look_up=lambda *_: answers.pop())
        assert send(alert(f"ntfy://rebind.example.com:{receiver.port}/topic"), over) == Receipt("200 OK")
    assert receiver.requests[0].headers["host"] == f"rebind.example.com:{receiver.port}"


def test_one_address_of_ours_among_those_of_a_name_is_enough_to_refuse_it() -> None:
    with raw_receiver(TAKEN) as receiver:
        over = apprise(allowed=None, look_up=lambda *_: found("9.9.9.9", receiver.host, port=receiver.port))
        failed = failure(f"ntfy://rebind.example.com:{receiver.port}/topic", over)
        assert receiver.connections == 0
    assert failed.permanent


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_receiver(TAKEN) as proxy, raw_receiver(TAKEN) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        send(alert(ntfy(receiver)))
        assert (proxy.connections, len(receiver.requests)) == (0, 1)


@pytest.mark.parametrize(("act", "said"), [(silence, "timed out"), (None, "did not answer")])
def test_who_does_not_answer_may_have_taken_it_and_holds_nobody(act: Any, said: str) -> None:
    with raw_receiver(act) as receiver:
        failed = failure(ntfy(receiver), within=0.3)
    assert (failed.certainty, failed.permanent) == (Certainty.UNKNOWN, False)
    assert said in failed.detail


def test_who_does_not_listen_has_taken_nothing() -> None:
    with raw_receiver(TAKEN) as receiver:
        url = ntfy(receiver)
    failed = failure(url)
    assert (failed.certainty, failed.permanent) == (Certainty.NOT_SENT, False)


def test_nothing_is_said_before_the_point_of_no_return_nor_after_one_has_left() -> None:
    connected, over, heard = threading.Event(), threading.Event(), []

    def listen(connection: socket.socket, _: threading.Event) -> None:
        connected.set()
        heard.append(connection.recv(1))
        over.set()

    with raw_receiver(TAKEN, greeting=listen) as receiver:
        with apprise().open(alert(ntfy(receiver)), within_seconds=5):
            assert connected.wait(5)
            assert heard == []
        assert sending_threads_end()
        assert over.wait(5)
    assert heard == [b""]


def sending_threads_end() -> bool:
    for thread in threading.enumerate():
        if thread.name == "apprise":
            thread.join(5)
    return not any(thread.name == "apprise" for thread in threading.enumerate())


def test_a_service_that_asks_for_time_is_given_it_by_us_and_not_by_a_thread_that_sleeps() -> None:
    """Matrix, after 429 at a login: the plugin would sleep, and try again by itself."""
    later = answer("429 Too Many Requests", body=b'{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 60000}')
    with raw_receiver(later) as receiver:
        failed = failure(f"matrix://user:secret@{receiver.host}:{receiver.port}/%23room")
        assert len(receiver.requests) == 1
    assert (failed.certainty, failed.permanent) == (Certainty.NOT_SENT, False)
    assert sending_threads_end()


LOGIN = answer("200 OK", body=b'{"access_token": "canary-token", "user_id": "@user:h", "home_server": "h"}')
ROOM = answer("200 OK", body=b'{"room_id": "!x:h"}')
SENT = answer("200 OK", body=b'{"event_id": "$1"}')


@pytest.mark.parametrize("logout", [answer("200 OK", body=b"{}"), answer("500 No"), silence])
def test_what_a_plugin_asks_when_all_is_told_is_asked_in_its_send_and_says_nothing_of_the_message(
    logout: Any,
) -> None:
    """Matrix logs out; Apprise does that by a destructor, whenever the collector comes to it."""
    with raw_receiver(LOGIN, ROOM, SENT, logout) as receiver:
        sent = send(alert(f"matrix://user:secret@{receiver.host}:{receiver.port}/%23room"), within=1.5)
    assert sent == Receipt("200 OK")
    asked = [request.line.split()[1].partition("/v3/")[2].partition("/")[0] for request in receiver.requests]
    assert asked == ["login", "join", "rooms", "logout"]


def test_what_failed_after_something_was_taken_may_have_been_received() -> None:
    """Matrix: the login is taken, and what comes next is refused."""
    with raw_receiver(LOGIN, answer("403 Forbidden", body=b"{}")) as receiver:
        failed = failure(f"matrix://user:secret@{receiver.host}:{receiver.port}/%23room")
    assert (failed.certainty, failed.permanent) == (Certainty.UNKNOWN, False)
    assert "canary-token" not in failed.detail


def test_no_part_of_a_url_is_told_or_logged(caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    caplog.set_level(logging.DEBUG)
    echo = answer("403 Forbidden", body=f"no hook {HOOK} at /hooks/{HOOK}".encode())
    with raw_receiver(echo) as receiver:
        failed = failure(mattermost(receiver))
    assert failed.detail == "403 Forbidden: no hook *** at /hooks/***"
    out, err = capfd.readouterr()
    assert HOOK not in caplog.text + out + err


def test_a_destination_that_is_deleted_or_not_allowed_any_more_is_told_for_good() -> None:
    for failed in (failure(None), failure("ntfy://127.0.0.1/topic", apprise(schemes=frozenset({"slack"})))):
        assert (failed.certainty, failed.permanent) == (Certainty.NOT_SENT, True)


def test_a_key_that_is_missing_passes_when_it_is_there_again() -> None:
    lost = SecretBox([SECRETS_KEY])
    over = AppriseChannel(Outward(WebhookSettings()), PUBLIC_URL, SecretBox(["A" * 43 + "="]))
    with pytest.raises(ChannelError) as failed:
        send(alert("ntfy://127.0.0.1/topic"), over)
    assert (failed.value.permanent, lost.newest in failed.value.detail) == (False, True)


@pytest.fixture
def crowd() -> Iterator[list[RawReceiver]]:
    with raw_receiver(TAKEN) as one, raw_receiver(answer("404 Not Found")) as two:
        yield [one, two]


def test_sends_side_by_side_do_not_mix(crowd: list[RawReceiver]) -> None:
    outcomes: dict[int, str] = {}

    def one(number: int) -> None:
        try:
            outcomes[number] = send(alert(ntfy(crowd[number % 2]))).detail
        except ChannelError as error:
            outcomes[number] = error.detail

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [outcomes[number] for number in range(12)] == ["200 OK", "404 Not Found"] * 6
