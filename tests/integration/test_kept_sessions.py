"""One session with the mail server for several mails: when it is kept, when not, and that no mail suffers."""

from __future__ import annotations

import time

import pytest

from alertops.channels import kept_sessions
from tests.acceptance.alerts import until
from tests.integration.mailing import (
    NOT_LONG,
    PERMANENT,
    PLENTY,
    TEMPORARY,
    UNCERTAIN,
    channel,
    failure,
    mailer,
    notification,
    outcome,
    send,
)
from tests.integration.raw_smtp import Answer, Answers, drip, raw_server, silence

OK, GO = b"250 ok\r\n", b"354 go\r\n"
MAIL = ["MAIL", "RCPT", "DATA", "."]
NEW = ["EHLO", *MAIL]


def test_mails_in_a_row_go_in_one_session() -> None:
    with raw_server() as (port, heard):
        over = channel(port)
        for _ in range(3):
            assert send(over).detail == "250 taken"
        assert heard == [*NEW, *MAIL, *MAIL]


def test_who_has_logged_in_does_not_do_so_again() -> None:
    with raw_server(EHLO=b"250-raw\r\n250 AUTH PLAIN\r\n", AUTH=b"235 welcome\r\n") as (port, heard):
        over = channel(port, username="alertops", password="s3cret")
        send(over)
        send(over)
        assert heard == ["EHLO", "AUTH", *MAIL, *MAIL]


def test_a_session_is_one_mail_s_at_a_time() -> None:
    with raw_server() as (port, heard):
        over = channel(port)
        with over.open(notification(), within_seconds=PLENTY) as one:
            assert send(over).detail == "250 taken"
            one.transmit(within_seconds=PLENTY)
        assert heard.count("EHLO") == 2
        with (
            over.open(notification(), within_seconds=PLENTY) as one,
            over.open(notification(), within_seconds=PLENTY) as another,
        ):
            one.transmit(within_seconds=PLENTY)
            another.transmit(within_seconds=PLENTY)
        assert heard.count("EHLO") == 2
        assert heard.count(".") == 4


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (None, NEW),
        (silence, NEW),
        (drip, NEW),
        (b"421 too long idle\r\n", ["QUIT", *NEW]),
        (b"451 not now\r\n", ["QUIT", *NEW]),
    ],
    ids=["closed", "silent", "dripping", "ended", "refusing"],
)
def test_a_session_that_does_not_go_on_costs_no_mail(answer: Answer, then: list[str]) -> None:
    with raw_server(MAIL=[OK, answer, OK]) as (port, heard):
        over = channel(port)
        send(over)
        began = time.monotonic()
        assert send(over).detail == "250 taken"
        assert time.monotonic() - began < NOT_LONG
        until(lambda: len(heard) == len([*NEW, "MAIL", *then]), PLENTY, "all being heard")
        # The goodbye to the one may be heard after the hello to the other.
        assert sorted(heard) == sorted([*NEW, "MAIL", *then])


def test_a_silent_session_leaves_half_of_the_time_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alertops.channels.mailer._KEPT_ANSWERS_SECONDS", PLENTY)
    with raw_server(MAIL=[OK, silence, OK]) as (port, heard):
        over = channel(port)
        send(over)
        assert send(over, opening=4.0).detail == "250 taken"
        assert heard.count("EHLO") == 2


def test_a_server_that_is_gone_is_told_as_such() -> None:
    with raw_server() as (port, _):
        over = channel(port)
        send(over)
    error = failure(over)
    assert outcome(error) == TEMPORARY
    assert f"127.0.0.1:{port}" in error.detail


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"RCPT": [OK, b"550 nobody\r\n", OK]}, PERMANENT),
        ({"RCPT": [OK, None, OK]}, TEMPORARY),
        ({"DATA": [GO, b"451 not now\r\n", GO]}, TEMPORARY),
        ({".": [OK, b"554 no\r\n", OK]}, PERMANENT),
        ({".": [OK, b"hello\r\n", OK]}, UNCERTAIN),
        ({".": [OK, None, OK]}, UNCERTAIN),
    ],
    ids=["mailbox", "lost before", "not wanted", "refused", "nonsense", "lost after"],
)
def test_a_mail_that_fails_ends_its_session(
    answers: dict[str, Answers], expected: tuple[object, str]
) -> None:
    """What is certain is the same in a session that was kept as in a new one."""
    with raw_server(**answers) as (port, heard):
        over = channel(port)
        send(over)
        assert outcome(failure(over)) == expected
        send(over)
        assert heard.count("EHLO") == 2


def test_who_gives_up_before_transmitting_ends_the_session() -> None:
    with raw_server() as (port, heard):
        over = channel(port)
        send(over)
        with over.open(notification(), within_seconds=PLENTY):
            pass
        assert heard == [*NEW, "MAIL", "RCPT", "QUIT"]


def test_a_session_ends_after_so_many_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_sessions, "MAX_MAILS", 2)
    with raw_server() as (port, heard):
        over = channel(port)
        for _ in range(3):
            send(over)
        assert [verb for verb in heard if verb != "QUIT"] == [*NEW, *MAIL, *NEW]


def test_a_session_that_was_idle_for_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server() as (port, heard):
        over = channel(port)
        send(over)
        monkeypatch.setattr(kept_sessions, "IDLE_SECONDS", -1)
        send(over)
        assert heard.count("EHLO") == 2


def test_idle_sessions_are_ended_and_others_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server() as (port, heard):
        ours = mailer(port)
        over = channel(port, over=ours)
        send(over)
        ours.close_idle()
        send(over)
        assert heard == [*NEW, *MAIL]
        monkeypatch.setattr(kept_sessions, "IDLE_SECONDS", -1)
        ours.close_idle()
        until(lambda: heard == [*NEW, *MAIL, "QUIT"], PLENTY, "the goodbye")
