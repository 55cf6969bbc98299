"""The webhook channel and receivers that speak HTTP: what arrives, what an answer means, where it may go."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest

from alertops.channels.base import Certainty
from alertops.channels.dial import Address
from tests.integration.hooking import Authority, channel, found
from tests.integration.mailing import PERMANENT, TEMPORARY, UNCERTAIN, failure, notification, outcome, send
from tests.integration.raw_http import TAKEN, RawReceiver, answer, raw_receiver


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def to(receiver: RawReceiver, path: str = "/hook", **changes: Any) -> Any:
    return notification(address=receiver.url(path), **changes)


# --- what arrives


def test_a_notification_arrives_whole() -> None:
    with raw_receiver(TAKEN) as receiver:
        receipt = send(channel(), to(receiver, "/hook?token=1", may_repeat=True))
    assert receipt.detail == "200 OK: taken"
    [request] = receiver.requests
    assert request.line == "POST /hook?token=1 HTTP/1.1"
    sent_at = int(request.headers.pop("webhook-timestamp"))
    assert abs(sent_at - time.time()) < 60
    assert request.headers.pop("user-agent").startswith("AlertOps/")
    assert request.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-type": "application/json",
        "content-length": str(len(request.body)),
        "accept-encoding": "identity",
        "connection": "close",
        "webhook-id": "execution-1.1.1",
    }
    execution = "https://alertops.test/api/v1/executions/execution-1"
    assert json.loads(request.body) == {
        "type": "alert.step",
        "version": 1,
        "execution": "execution-1",
        "step": 1,
        "target": 1,
        "attempt": 1,
        "may_repeat": True,
        "summary": "Disk full",
        "severity": "critical",
        "details": {"path": ".hidden", "note": "🔥"},
        "team": "Storage",
        "flow": "Nights",
        "node": "First",
        "started_at": "2026-03-01T00:00:00Z",
        "links": {
            "execution": execution,
            "timeline": f"{execution}/timeline",
            "acknowledge": f"{execution}/acknowledge",
        },
    }


def test_a_large_notification_arrives_whole() -> None:
    details = {"log": "x" * 900_000}
    with raw_receiver(TAKEN) as receiver:
        send(channel(), to(receiver, details=details))
    assert json.loads(receiver.requests[0].body)["details"] == details


def test_an_answer_without_a_body_will_do() -> None:
    with raw_receiver(b"HTTP/1.1 204 No Content\r\n\r\n") as receiver:
        assert send(channel(), to(receiver)).detail == "204 No Content"


def test_what_informs_before_the_answer_is_passed_over() -> None:
    with raw_receiver(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + TAKEN) as receiver:
        assert send(channel(), to(receiver)).detail == "200 OK: taken"


# --- what an answer means


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("300 Multiple Choices", PERMANENT),
        ("304 Not Modified", PERMANENT),
        ("400 Bad Request", PERMANENT),
        ("401 Unauthorized", PERMANENT),
        ("404 Not Found", PERMANENT),
        ("408 Request Timeout", TEMPORARY),
        ("410 Gone", PERMANENT),
        ("425 Too Early", TEMPORARY),
        ("429 Too Many Requests", TEMPORARY),
        ("500 Internal Server Error", TEMPORARY),
        ("502 Bad Gateway", UNCERTAIN),
        ("503 Service Unavailable", TEMPORARY),
        ("504 Gateway Timeout", UNCERTAIN),
        ("599 What", TEMPORARY),
        ("600 What", UNCERTAIN),
    ],
)
def test_a_refusal_is_told_by_its_status(status: str, expected: tuple[Certainty, str]) -> None:
    with raw_receiver(answer(status, body=b"sorry")) as receiver:
        error = failure(channel(), to(receiver))
    assert outcome(error) == expected
    assert status in error.detail


def test_when_to_come_back_is_told() -> None:
    with raw_receiver(answer("429 Slow Down", "Retry-After: 120", body=b"{}")) as receiver:
        assert failure(channel(), to(receiver)).detail == "429 Slow Down (retry after 120): {}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with raw_receiver(TAKEN) as other:
        location = f"Location: {other.url('/elsewhere?token=1')}"
        with raw_receiver(answer(f"{status} Moved", location)) as receiver:
            error = failure(channel(), to(receiver))
        assert outcome(error) == PERMANENT
        assert f"redirects to {other.url('/elsewhere')}, which is not followed" in error.detail
        assert "token" not in error.detail
        assert other.requests == []


def test_the_path_is_kept_out_of_what_is_told() -> None:
    """For many receivers it is the secret. Error pages like to repeat it."""
    with raw_receiver(answer("404 Not Found", body=b"Cannot POST /s3cret/b?t=t0ken, /s3cret/b")) as receiver:
        detail = failure(channel(), to(receiver, "/s3cret/b?t=t0ken")).detail
    assert detail == "404 Not Found: Cannot POST /***, /***"


# --- TLS


def test_a_name_is_verified_though_its_address_is_connected_to(authority: Authority) -> None:
    with raw_receiver(TAKEN, tls=authority.server("hooks.example")) as receiver:
        over = channel(ca_file=authority.file, look_up=lambda _, port: found("127.0.0.1", port=port))
        send(over, notification(address=receiver.url(scheme="https", host="hooks.example")))
    assert receiver.requests[0].headers["host"] == f"hooks.example:{receiver.port}"


@pytest.mark.parametrize("trusted", [True, False], ids=["another name", "unknown authority"])
def test_a_certificate_that_fails_is_certain_and_nothing_is_sent(authority: Authority, trusted: bool) -> None:
    name = "other.example" if trusted else "hooks.example"
    with raw_receiver(TAKEN, tls=authority.server(name)) as receiver:
        over = channel(
            ca_file=authority.file if trusted else None,
            look_up=lambda _, port: found("127.0.0.1", port=port),
        )
        error = failure(over, notification(address=receiver.url(scheme="https", host="hooks.example")))
    assert outcome(error) == TEMPORARY
    assert "certificate verify failed" in error.detail
    assert receiver.requests == []


def test_a_receiver_without_tls_is_not_spoken_to_in_the_clear() -> None:
    with raw_receiver(TAKEN, greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as receiver:
        error = failure(channel(), notification(address=receiver.url(scheme="https")))
    assert outcome(error) == TEMPORARY
    assert receiver.requests == []


# --- where it may go


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0", "[::]"]
)
def test_our_own_network_is_not_spoken_to(host: str) -> None:
    with raw_receiver(TAKEN) as receiver:
        error = failure(channel(allowed=None), notification(address=receiver.url(host=host)))
    assert outcome(error) == PERMANENT
    assert "not a public address" in error.detail
    assert receiver.connections == 0


def test_one_address_that_is_not_public_is_one_too_many() -> None:
    over = channel(allowed=None, look_up=lambda _, port: found("8.8.8.8", "169.254.169.254", port=port))
    error = failure(over, notification(address="http://hooks.example/"))
    assert outcome(error) == PERMANENT
    assert "169.254.169.254" in error.detail


def test_a_name_is_looked_up_once() -> None:
    """DNS rebinding: a second answer, after the first was found good, would lead elsewhere."""
    answers = ["127.0.0.1", "127.0.0.2"]

    def look_up(host: str, port: int) -> list[Address]:
        return found(answers.pop(0), port=port)

    with raw_receiver(TAKEN) as receiver:
        send(
            channel(allowed="127.0.0.1/32", look_up=look_up),
            notification(address=receiver.url(host="rebinding.example")),
        )
    assert len(receiver.requests) == 1
    assert answers == ["127.0.0.2"]


def test_a_name_that_points_elsewhere_by_now_is_looked_at_again_at_the_next_attempt() -> None:
    answers = ["127.0.0.1", "127.0.0.2"]
    with raw_receiver(answer("503 Later")) as receiver:
        over = channel(allowed="127.0.0.1/32", look_up=lambda _, port: found(answers.pop(0), port=port))
        sent = notification(address=receiver.url(host="rebinding.example"))
        assert outcome(failure(over, sent)) == TEMPORARY
        assert outcome(failure(over, sent)) == PERMANENT
    assert receiver.connections == 1


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_receiver(TAKEN) as proxy, raw_receiver(TAKEN) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        send(channel(), to(receiver))
        assert (proxy.connections, receiver.connections) == (0, 1)


def test_an_address_that_is_no_url_is_permanent() -> None:
    error = failure(channel(), notification(address="https://user:s3cret@example.com/"))
    assert outcome(error) == PERMANENT
    assert "s3cret" not in error.detail


def test_a_dead_address_leaves_time_for_the_next() -> None:
    # A backlog that is full ignores connections, as a dead host does.
    with (
        raw_receiver(TAKEN) as receiver,
        socket.create_server(("127.0.0.2", receiver.port), backlog=0),
        socket.socket() as filler,
    ):
        filler.connect(("127.0.0.2", receiver.port))
        over = channel(look_up=lambda _, port: found("127.0.0.2", "127.0.0.1", port=port))
        send(over, notification(address=receiver.url(host="hooks.example")), opening=1.0)
    assert len(receiver.requests) == 1
