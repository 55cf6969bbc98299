"""The email channel against servers that misbehave below SMTP: what is certain, and how long it may take."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from alertops.channels.base import Certainty
from alertops.channels.deadline import Deadline
from alertops.channels.mailer import MAX_DETAIL
from alertops.channels.smtp import DeadlineSMTP
from deploy.local.smtp_sink import SmtpSink
from tests.integration.mailing import (
    NOT_LONG,
    PERMANENT,
    SHORT,
    TEMPORARY,
    UNCERTAIN,
    channel,
    failure,
    outcome,
    send,
)
from tests.integration.raw_smtp import Answer, drip, raw_server, silence


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as running:
        yield running


def test_a_refused_connection_is_temporary() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = failure(channel(port))
    assert outcome(error) == TEMPORARY
    assert f"127.0.0.1:{port}" in error.detail


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70 + ".invalid"])
def test_a_host_that_cannot_be_looked_up_is_temporary(host: str) -> None:
    assert outcome(failure(channel(25, host=host))) == TEMPORARY


def test_a_dead_address_of_the_server_leaves_time_for_the_next(
    sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A backlog that is full ignores connections, as a dead host does.
    with socket.create_server(("127.0.0.2", sink.port), backlog=0), socket.socket() as filler:
        filler.connect(("127.0.0.2", sink.port))
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, sink.port))
            for address in ("127.0.0.2", "127.0.0.1")
        ]
        look_up = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *args, **kw: found if host == "relay.test" else look_up(host, *args, **kw),
        )
        send(channel(sink.port, host="relay.test"), opening=2.0)
    assert len(sink.messages) == 1


@pytest.mark.parametrize("stage", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("answer", [silence, drip, None], ids=["silent", "dripping", "closing"])
def test_a_server_lost_before_the_message_is_certain_and_in_time(stage: str, answer: Answer) -> None:
    with raw_server(**{stage: answer}) as (port, heard):
        began = time.monotonic()
        error = failure(channel(port), opening=SHORT, sending=SHORT)
        assert time.monotonic() - began < NOT_LONG
        assert outcome(error) == TEMPORARY
        assert "." not in heard


@pytest.mark.parametrize("answer", [silence, drip, None], ids=["silent", "dripping", "closing"])
def test_a_server_lost_after_the_message_is_uncertain_and_in_time(answer: Answer) -> None:
    with raw_server(**{".": answer}) as (port, heard):
        began = time.monotonic()
        error = failure(channel(port), sending=SHORT)
        assert time.monotonic() - began < NOT_LONG
        assert outcome(error) == UNCERTAIN
        assert heard[-1] == "."


@pytest.mark.parametrize(
    "answer", [silence, drip, None, b"500 what?\r\n"], ids=["silent", "dripping", "closing", "refusing"]
)
def test_a_failing_goodbye_does_not_change_the_outcome(answer: Answer) -> None:
    with raw_server(RCPT=b"550 no\r\n", QUIT=answer) as (port, heard):
        began = time.monotonic()
        assert outcome(failure(channel(port))) == PERMANENT
        assert time.monotonic() - began < NOT_LONG
        assert heard[-1] == "QUIT"


@pytest.mark.parametrize(
    ("code", "expected"), [(451, TEMPORARY), (554, PERMANENT), (250, TEMPORARY), (421, TEMPORARY)]
)
def test_a_server_that_does_not_want_the_message_never_gets_it(
    code: int, expected: tuple[Certainty, str]
) -> None:
    with raw_server(DATA=b"%d no\r\n" % code, QUIT=None) as (port, heard):
        assert outcome(failure(channel(port))) == expected
        assert heard[-2:] == ["DATA", "QUIT"]


@pytest.mark.parametrize(("code", "expected"), [(451, TEMPORARY), (550, PERMANENT), (530, TEMPORARY)])
def test_a_refused_sender_is_told_by_its_code(code: int, expected: tuple[Certainty, str]) -> None:
    with raw_server(MAIL=b"%d no\r\n" % code) as (port, _):
        assert outcome(failure(channel(port))) == expected


@pytest.mark.parametrize("answer", [b"hello\r\n", b"354 go\r\n", b"5" * 10_000 + b"\r\n"])
def test_a_nonsense_answer_to_the_message_is_uncertain(answer: bytes) -> None:
    with raw_server(**{".": answer}) as (port, _):
        assert outcome(failure(channel(port))) == UNCERTAIN


def test_a_greeting_that_refuses_is_temporary() -> None:
    with raw_server(GREETING=b"554 go away\r\n") as (port, _):
        error = failure(channel(port))
        assert outcome(error) == TEMPORARY
        assert "554 go away" in error.detail


def test_what_the_server_says_is_quoted_as_one_bounded_line() -> None:
    answer = b"550-no\x1b[31m\xff\r\n" + b"550-more\r\n" * 200 + b"550 end\r\n"
    with raw_server(RCPT=answer) as (port, _):
        detail = failure(channel(port)).detail
    assert "550 no [31m\ufffd more more" in detail
    assert len(detail) == MAX_DETAIL
    assert detail.isprintable()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_server_that_repeats_the_password_is_not_quoted(mechanism: str) -> None:
    echoes = b"535 s3cret AGFsZXJ0b3BzAHMzY3JldA== czNjcmV0 is wrong\r\n"
    with raw_server(EHLO=b"250-raw\r\n250 AUTH %s\r\n" % mechanism.encode(), AUTH=echoes) as (port, heard):
        detail = failure(channel(port, username="alertops", password="s3cret")).detail
        assert "AUTH" in heard
    assert "535 *** *** *** is wrong" in detail


def test_a_budget_that_is_used_up_sends_nothing(sink: SmtpSink) -> None:
    assert outcome(failure(channel(sink.port), opening=0)) == TEMPORARY
    assert outcome(failure(channel(sink.port), sending=0)) == TEMPORARY
    assert sink.messages == ()


def test_a_server_that_does_not_read_cannot_hold_a_sender() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        smtp = DeadlineSMTP(Deadline(SHORT))
        smtp.sock = ours
        began = time.monotonic()
        with pytest.raises(OSError, match=r"timed out|not connected"):
            smtp.send(b"x" * 50_000_000)
        assert time.monotonic() - began < NOT_LONG
