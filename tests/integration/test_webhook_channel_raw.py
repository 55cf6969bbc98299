"""The webhook channel and receivers that misbehave below HTTP: what is certain, and how long it may take."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from alertops.channels import http_exchange
from alertops.channels.base import Certainty, ChannelError
from alertops.channels.deadline import Deadline
from alertops.channels.dial import Address
from alertops.channels.resolver import Resolver
from alertops.channels.webhook import MAX_DETAIL
from tests.integration.hooking import Authority, channel, found
from tests.integration.mailing import (
    NOT_LONG,
    SHORT,
    TEMPORARY,
    UNCERTAIN,
    failure,
    notification,
    outcome,
    send,
)
from tests.integration.raw_http import (
    TAKEN,
    Answer,
    RawReceiver,
    answer,
    drip,
    raw_receiver,
    reset,
    say_then,
    silence,
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def to(receiver: RawReceiver, **where: Any) -> Any:
    return notification(address=receiver.url(**where))


@contextmanager
def not_long() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < NOT_LONG


# --- before the first byte of the request


def test_a_refused_connection_is_temporary() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = failure(channel(), notification(address=f"http://127.0.0.1:{port}/s3cret"))
    assert outcome(error) == TEMPORARY
    assert f"http://127.0.0.1:{port} could not be connected to" in error.detail
    assert "s3cret" not in error.detail


def test_a_host_that_cannot_be_looked_up_is_temporary() -> None:
    error = failure(channel(), notification(address="https://no-such-host.invalid/"))
    assert outcome(error) == TEMPORARY


def test_a_host_that_does_not_answer_is_temporary_and_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as filler, not_long():
        filler.connect(full.getsockname())
        sent = notification(address=f"http://127.0.0.1:{full.getsockname()[1]}/")
        assert outcome(failure(channel(), sent, opening=SHORT)) == TEMPORARY


@pytest.mark.parametrize(
    "act", [silence, drip(b"\x16\x03\x03\x40\x00"), None, reset, b"HTTP/1.1 400 No\r\n\r\n"],
    ids=["silent", "dripping", "closing", "resetting", "clear text"],
)  # fmt: skip
def test_a_receiver_lost_in_the_handshake_is_certain_and_in_time(act: Answer) -> None:
    then = act if act is None or callable(act) else say_then(act, silence)
    with raw_receiver(TAKEN, before_tls=then) as receiver, not_long():
        error = failure(channel(), to(receiver, scheme="https"), opening=SHORT)
        assert outcome(error) == TEMPORARY


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("act", [None, reset], ids=["closing", "resetting"])
def test_a_receiver_that_hangs_up_before_it_is_asked_has_certainly_taken_nothing(
    authority: Authority, tls: bool, act: Answer
) -> None:
    gone = threading.Event()

    def hang_up(connection: socket.socket, _: threading.Event) -> None:
        if act is None:
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        gone.set()

    server = authority.server("127.0.0.1") if tls else None
    with raw_receiver(TAKEN, greeting=hang_up, tls=server) as receiver:
        over = channel(ca_file=authority.file)
        with over.open(to(receiver, scheme="https" if tls else "http"), within_seconds=5) as delivery:
            assert gone.wait(5)
            with pytest.raises(ChannelError, match="hung up before") as caught:
                delivery.transmit(within_seconds=5)
    assert outcome(caught.value) == TEMPORARY


def test_a_budget_that_is_used_up_sends_nothing() -> None:
    with raw_receiver(TAKEN) as receiver:
        assert outcome(failure(channel(), to(receiver), opening=0)) == TEMPORARY
        assert outcome(failure(channel(), to(receiver), sending=0)) == TEMPORARY
    assert receiver.requests == []


# --- from the first byte on


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize(
    "act",
    [
        silence,
        drip(b"x"),
        drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
        say_then(b"HTTP/1.1 200 OK\r\n", drip(b"X-More: yes\r\n")),
        None,
        reset,
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nX-Cut: ",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: y\r\n" * 10_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 1_000_000 + b"\r\n\r\n",
    ],
    ids=[
        "silent", "dripping", "dripping 100s", "dripping headers", "closing", "resetting",
        "cut in the status", "cut in the headers", "not HTTP", "switching", "two lengths", "many headers",
        "huge header",
    ],
)  # fmt: skip
def test_a_receiver_lost_after_the_request_is_uncertain_and_in_time(
    authority: Authority, tls: bool, act: Answer
) -> None:
    server = authority.server("127.0.0.1") if tls else None
    with raw_receiver(act, tls=server) as receiver, not_long():
        over = channel(ca_file=authority.file)
        error = failure(over, to(receiver, scheme="https" if tls else "http"), sending=SHORT)
        assert outcome(error) == UNCERTAIN
    assert len(receiver.requests) == 1
    assert len(error.detail) < 300


def test_a_receiver_that_does_not_read_cannot_hold_a_sender() -> None:
    with raw_receiver(TAKEN, greeting=silence) as receiver, not_long():
        sent = notification(address=receiver.url(), details={"log": "x" * 20_000_000})
        assert outcome(failure(channel(), sent, sending=SHORT)) == UNCERTAIN


def test_who_answers_before_reading_all_is_heard() -> None:
    def answer_and_hang_up(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(1000)
        connection.sendall(answer("413 Content Too Large"))
        # With most of the request unread, so that the sender's next write fails.
        connection.close()

    with raw_receiver(TAKEN, greeting=answer_and_hang_up) as receiver:
        sent = notification(address=receiver.url(), details={"log": "x" * 5_000_000})
        assert failure(channel(), sent).detail == "413 Content Too Large"


# --- a body that does not end well


@pytest.mark.parametrize(
    ("status", "rest"),
    [(200, silence), (404, drip(b"x")), (200, reset), (404, None)],
    ids=["silent", "dripping", "resetting", "closing"],
)
def test_the_outcome_is_known_before_the_body(status: int, rest: Answer) -> None:
    head = b"HTTP/1.1 %d Yes\r\nContent-Length: 1000000\r\n\r\nbegun" % status
    then: Answer = head if rest is None else say_then(head, rest)  # type: ignore[arg-type]
    with raw_receiver(then) as receiver, not_long():
        if status == 200:
            assert send(channel(), to(receiver)).detail.startswith("200 Yes")
        else:
            assert failure(channel(), to(receiver)).detail.startswith("404 Yes")


def test_an_endless_body_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    # The bound of time would end it as well.
    monkeypatch.setattr(http_exchange, "_BODY_SECONDS", 60.0)

    def without_end(connection: socket.socket, stopped: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 500 No\r\n\r\n")
        while not stopped.is_set():
            connection.sendall(b"y" * 65536)

    with raw_receiver(without_end) as receiver, not_long():
        detail = failure(channel(), to(receiver)).detail
    assert detail.startswith("500 No: yyy")
    assert len(detail) == MAX_DETAIL


def test_what_the_receiver_says_is_quoted_as_one_bounded_line() -> None:
    said = answer("500 No\x1b[31m", body=b"a\x00b\r\nc\x1b[0m\xff\xe2\x80\xa8d")
    with raw_receiver(said.replace(b"\x1b[31m", b"")) as receiver:
        assert failure(channel(), to(receiver)).detail == "500 No: a b c [0m\ufffd d"


def test_a_chunked_body_is_put_together() -> None:
    said = b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n4\r\n bar\r\n0\r\n\r\n"
    with raw_receiver(said) as receiver:
        assert failure(channel(), to(receiver)).detail == "400 No: foo bar"


# --- looking up


def test_a_look_up_that_hangs_is_left_behind() -> None:
    asked = threading.Event()

    def hang(host: str, port: int) -> list[Address]:
        asked.wait()
        return found("127.0.0.1", port=port)

    try:
        with not_long():
            error = failure(
                channel(look_up=hang), notification(address="http://slow.example/"), opening=SHORT
            )
            assert outcome(error) == TEMPORARY
    finally:
        asked.set()


def test_there_are_only_so_many_look_ups_at_once() -> None:
    answered = threading.Event()
    running: list[str] = []

    def hang(host: str, port: int) -> list[Address]:
        running.append(host)
        answered.wait()
        return found("127.0.0.1", port=port)

    resolver = Resolver(hang, at_once=2)
    for name in ("first", "second"):
        with pytest.raises(TimeoutError):
            resolver.addresses(name, 80, Deadline(0.05))
    with pytest.raises(TimeoutError, match="too many"):
        resolver.addresses("third", 80, Deadline(0.05))
    assert running == ["first", "second"]
    answered.set()
    # And whoever ends makes room.
    assert resolver.addresses("fourth", 80, Deadline(5)) == found("127.0.0.1", port=80)


def test_what_the_resolver_raises_is_the_callers() -> None:
    def refuse(host: str, port: int) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    error = failure(channel(look_up=refuse), notification(address="http://gone.example/"))
    assert outcome(error) == (Certainty.NOT_SENT, "temporary")
    assert "not known" in error.detail
