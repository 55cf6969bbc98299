"""The email channel against real servers: what is certain, what is not, and how long it may take."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alertops.channels.base import Certainty, Channel, ChannelError, Notification, Receipt
from alertops.channels.email import MAX_DETAIL, EmailChannel, SmtpSettings
from alertops.channels.smtp import Deadline, DeadlineSMTP
from deploy.local.smtp_sink import Drop, Hang, Refuse, SmtpSink

MAILBOX = "ops@example.com"
PLENTY = 10.0
# A budget that runs out in the test, and the most that such a call may take on a busy machine.
SHORT, NOT_LONG = 0.3, 3.0


def notification(**changes: Any) -> Notification:
    usual = Notification(
        key="execution-1.1.1",
        address=MAILBOX,
        execution_id="execution-1",
        step=1,
        target=1,
        attempt=1,
        summary="Disk full",
        severity="critical",
        details={"path": ".hidden", "note": "🔥"},
        team_name="Storage",
        flow_name="Nights",
        node_name="First",
        started_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    return replace(usual, **changes)


def channel(port: int, **changes: Any) -> Channel:
    usual: dict[str, Any] = {"host": "127.0.0.1", "port": port, "security": "none"}
    account = {"username": None, "password": None, "mail_from": "alerts@example.org"}
    return EmailChannel(SmtpSettings(**(usual | account | changes)))


def send(
    over: Channel, sent: Notification | None = None, *, opening: float = PLENTY, sending: float = PLENTY
) -> Receipt:
    with over.open(sent or notification(), within_seconds=opening) as delivery:
        return delivery.transmit(within_seconds=sending)


def failure(*args: Any, **kwargs: Any) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        send(*args, **kwargs)
    return caught.value


def outcome(error: ChannelError) -> tuple[Certainty, str]:
    return error.certainty, "permanent" if error.permanent else "temporary"


TEMPORARY = (Certainty.NOT_SENT, "temporary")
PERMANENT = (Certainty.NOT_SENT, "permanent")
UNCERTAIN = (Certainty.UNKNOWN, "temporary")


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
    assert all(body.rstrip().endswith("/acknowledge") for body in bodies)


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


# --- servers that misbehave below SMTP

Answer = bytes | None | Callable[[socket.socket, threading.Event], None]
POLITE: dict[str, Answer] = {
    "GREETING": b"220 raw\r\n",
    "EHLO": b"250 raw\r\n",
    "MAIL": b"250 ok\r\n",
    "RCPT": b"250 ok\r\n",
    "DATA": b"354 go\r\n",
    ".": b"250 taken\r\n",
    "QUIT": b"221 bye\r\n",
}


def silence(connection: socket.socket, stopped: threading.Event) -> None:
    stopped.wait()


def go_and_be_silent(connection: socket.socket, stopped: threading.Event) -> None:
    connection.sendall(b"220 go\r\n")
    stopped.wait()


def drip(connection: socket.socket, stopped: threading.Event) -> None:
    """A reply without end, one byte at a time."""
    reply = b"250-" + b"x" * 1_000_000
    for byte in reply:
        if stopped.wait(0.02):
            return
        connection.sendall(bytes([byte]))


class RawServer:
    """Serves one connection after another with an answer for each verb; an answer of None closes."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.heard: list[str] = []
        self._answers = answers
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        # Wakes the server from accept, so that it sees that it is to stop.
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join(PLENTY)
        self._listener.close()
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            connection, _ = self._listener.accept()
            # A client that has had enough is what these tests are about.
            with connection, suppress(ConnectionError):
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        verb = "GREETING"
        while (answer := self._answers[verb]) is not None:
            if callable(answer):
                answer(connection, self._stopped)
                return
            connection.sendall(answer)
            line = lines.readline()
            while verb == "DATA" and answer.startswith(b"354") and line not in (b".\r\n", b""):
                line = lines.readline()
            if not line:
                return
            verb = line.decode().split()[0].upper()
            self.heard.append(verb)


@contextmanager
def raw_server(**changes: Answer) -> Iterator[tuple[int, list[str]]]:
    """The port of a polite server but for `changes`, and the verbs that it hears."""
    server = RawServer(POLITE | changes)
    try:
        yield server.port, server.heard
    finally:
        server.stop()


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
def test_a_failing_goodbye_does_not_undo_a_delivery(answer: Answer) -> None:
    with raw_server(QUIT=answer) as (port, heard):
        began = time.monotonic()
        assert send(channel(port)).detail == "250 taken"
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
