"""The email channel against a real mail server: what is certain, what is not, TLS and login."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alertops.channels.base import Certainty
from deploy.local.smtp_sink import Drop, Hang, Refuse, SmtpSink
from tests.integration.mailing import (
    MAILBOX,
    NOT_LONG,
    PERMANENT,
    PLENTY,
    SHORT,
    TEMPORARY,
    UNCERTAIN,
    channel,
    failure,
    notification,
    outcome,
    send,
)
from tests.integration.raw_smtp import go_and_be_silent, raw_server, silence


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as running:
        yield running


# --- accepted and refused


def test_an_accepted_message_arrives_whole(sink: SmtpSink) -> None:
    receipt = send(channel(sink.port))
    (mail,) = sink.wait_for_messages(1, timeout=PLENTY)
    assert receipt.detail == "250 OK"
    assert (mail.mail_from, mail.rcpt_to) == ("alerts@example.org", (MAILBOX,))
    assert mail.message["Subject"] == "[critical] Disk full"
    assert mail.alertops("Attempt") == "1"
    body = mail.message.get_content()
    assert 'path: ".hidden"' in body
    assert 'note: "🔥"' in body
    assert timedelta(0) <= datetime.now(UTC) - mail.received_at < timedelta(seconds=PLENTY)


def test_a_line_that_begins_with_a_dot_arrives_with_one_dot(sink: SmtpSink) -> None:
    send(channel(sink.port), notification(summary="..\r\n.\r\nQUIT"))
    send(channel(sink.port), notification(summary="."))
    bodies = [mail.message.get_content() for mail in sink.messages]
    assert [body.split("\r\n")[0] for body in bodies] == [".. . QUIT", "."]
    assert all(body.rstrip().endswith(".execution-1.1.1") for body in bodies)


def test_two_attempts_have_the_same_message_id_and_are_told_apart(sink: SmtpSink) -> None:
    for attempt in (1, 2):
        send(channel(sink.port), notification(attempt=attempt, may_repeat=attempt > 1))
    first, second = sink.messages
    assert first.message_id == second.message_id == "<execution-1.1.1@example.org>"
    assert [mail.alertops("Attempt") for mail in (first, second)] == ["1", "2"]
    assert ["repeat" in mail.message.get_content() for mail in (first, second)] == [False, True]


def test_an_international_domain_is_spoken_as_a_labels(sink: SmtpSink) -> None:
    send(channel(sink.port), notification(address="ops@bücher.example"))
    assert sink.messages[0].rcpt_to == ("ops@xn--bcher-kva.example",)


def test_a_refused_mailbox_is_permanent(sink: SmtpSink) -> None:
    sink.behave(MAILBOX, Refuse(550))
    for _ in range(2):
        error = failure(channel(sink.port))
        assert outcome(error) == PERMANENT
        assert "RCPT: 550 refused by script" in error.detail
    assert sink.messages == ()
    assert [(event.address, event.stage, event.code) for event in sink.events] == [(MAILBOX, "rcpt", 550)] * 2


def test_a_busy_mailbox_is_temporary_and_takes_a_later_attempt(sink: SmtpSink) -> None:
    sink.behave(MAILBOX, Refuse(451, times=2))
    assert [outcome(failure(channel(sink.port))) for _ in range(2)] == [TEMPORARY] * 2
    send(channel(sink.port))
    assert len(sink.messages) == 1
    assert [event.code for event in sink.events] == [451, 451, 250]


@pytest.mark.parametrize(("code", "expected"), [(452, TEMPORARY), (554, PERMANENT), (530, TEMPORARY)])
def test_a_refusal_after_the_message_is_certain(
    sink: SmtpSink, code: int, expected: tuple[Certainty, str]
) -> None:
    sink.behave(MAILBOX, Refuse(code, at="data"))
    error = failure(channel(sink.port))
    assert outcome(error) == expected
    assert f"refused the message: {code}" in error.detail
    assert sink.messages == ()


def test_a_local_part_outside_ascii_is_permanent_without_a_connection() -> None:
    error = failure(channel(port=1), notification(address="jürgen@example.com"))
    assert outcome(error) == PERMANENT


def test_nothing_is_sent_when_the_caller_gives_up_before_transmitting(sink: SmtpSink) -> None:
    with channel(sink.port).open(notification(), within_seconds=PLENTY):
        pass
    send(channel(sink.port), notification(attempt=2))
    assert [mail.alertops("Attempt") for mail in sink.messages] == ["2"]


# --- uncertain


def test_a_connection_dropped_after_the_message_is_uncertain(sink: SmtpSink) -> None:
    sink.behave(MAILBOX, Drop(times=1))
    error = failure(channel(sink.port))
    assert outcome(error) == UNCERTAIN
    assert len(sink.messages) == 1
    send(channel(sink.port), notification(attempt=2, may_repeat=True))
    assert len({mail.message_id for mail in sink.messages}) == 1
    assert len(sink.messages) == 2


def test_a_server_that_takes_the_message_and_does_not_answer_in_time_is_uncertain(sink: SmtpSink) -> None:
    sink.behave(MAILBOX, Hang(seconds=60))
    began = time.monotonic()
    assert outcome(failure(channel(sink.port), sending=SHORT)) == UNCERTAIN
    assert SHORT <= time.monotonic() - began < NOT_LONG
    assert len(sink.messages) == 1


# --- TLS and login


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file that also serves as the CA."""
    openssl = shutil.which("openssl")
    assert openssl, "the openssl command is needed"
    folder = tmp_path_factory.mktemp("tls")
    key, pem = folder / "key.pem", folder / "both.pem"
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=sink"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(pem)]
    subprocess.run([openssl, *make.split(), *files], check=True, capture_output=True)  # noqa: S603
    pem.write_text(pem.read_text() + key.read_text())
    return pem


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


# aiosmtpd does not see that a connection has had TLS from its first byte, and warns.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_message_goes_over_verified_tls_with_a_login(
    certificate: Path, server_tls: ssl.SSLContext, security: str
) -> None:
    with SmtpSink(users={"alertops": "s3cret"}, tls=server_tls, implicit_tls=security == "tls") as sink:
        over = channel(
            sink.port, security=security, ca_file=str(certificate), username="alertops", password="s3cret"
        )
        send(over)
        assert len(sink.messages) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_untrusted_certificate_is_temporary_and_nothing_is_sent(
    server_tls: ssl.SSLContext, security: str
) -> None:
    with SmtpSink(tls=server_tls, implicit_tls=security == "tls") as sink:
        error = failure(channel(sink.port, security=security))
        assert outcome(error) == TEMPORARY
        assert "certificate verify failed" in error.detail
        assert sink.messages == ()


def test_a_certificate_for_another_name_is_not_trusted(certificate: Path, server_tls: ssl.SSLContext) -> None:
    with SmtpSink(tls=server_tls) as sink:
        error = failure(channel(sink.port, security="starttls", host="localhost", ca_file=str(certificate)))
        assert outcome(error) == TEMPORARY
        assert "localhost" in error.detail
        assert sink.messages == ()


def test_a_server_without_starttls_gets_neither_password_nor_message(sink: SmtpSink) -> None:
    error = failure(channel(sink.port, security="starttls", username="u", password="s3cret"))
    assert outcome(error) == TEMPORARY
    assert "does not offer" in error.detail
    assert sink.messages == ()


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_stalls_in_the_handshake_is_temporary_and_in_time(security: str) -> None:
    offers = b"250-raw\r\n250 STARTTLS\r\n"
    silent = {"GREETING": silence} if security == "tls" else {"STARTTLS": go_and_be_silent}
    with raw_server(**{"EHLO": offers, **silent}) as (port, heard):
        began = time.monotonic()
        assert outcome(failure(channel(port, security=security), opening=SHORT)) == TEMPORARY
        assert time.monotonic() - began < NOT_LONG
        assert "MAIL" not in heard


def test_a_refused_login_is_temporary_and_keeps_the_password_to_itself(
    certificate: Path, server_tls: ssl.SSLContext
) -> None:
    with SmtpSink(users={"alertops": "another"}, tls=server_tls) as sink:
        over = channel(
            sink.port, security="starttls", ca_file=str(certificate), username="alertops", password="s3cret"
        )
        error = failure(over)
        assert outcome(error) == TEMPORARY
        assert "535" in error.detail
        assert "s3cret" not in error.detail
        assert sink.messages == ()


def test_a_missing_authority_file_is_noticed_when_the_channel_is_made() -> None:
    with pytest.raises(FileNotFoundError):
        channel(25, security="tls", ca_file="/nonexistent/ca.pem")
