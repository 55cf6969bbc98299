"""What a mail says, and that no text in an alert can make it say anything else."""

from __future__ import annotations

import json
import re
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from alertops.answer_links import AnswerLinks
from alertops.channels.address import ascii_address
from alertops.channels.base import ChannelError, Notification
from alertops.channels.mailer import SmtpSettings
from alertops.channels.message import MAX_SUBJECT, body_of, build_message, subject_of
from alertops.channels.smtp import data_of
from alertops.channels.text import one_line

SENDER = "alerts@example.org"
URL = "https://alertops.example.org"
LINKS = AnswerLinks(URL, ["k" * 32])
EXECUTION = "7f1f9a52-3c0e-4d57-9f7e-2c1d5e8b9a10"

HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "In-Reply-To",
    "References",
    "X-AlertOps-Execution",
    "X-AlertOps-Step",
    "X-AlertOps-Target",
    "X-AlertOps-Attempt",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
]


def notification(**changes: Any) -> Notification:
    usual = Notification(
        key=f"{EXECUTION}.2.1",
        address="ops@example.com",
        execution_id=EXECUTION,
        step=2,
        target=1,
        attempt=3,
        summary="Disk full on db-1",
        severity="critical",
        details={"host": "db-1", "free": 0},
        team_name="Storage",
        flow_name="Nights",
        node_name="First on call",
        started_at=datetime(2026, 3, 1, 2, 30, tzinfo=UTC),
    )
    return replace(usual, **changes)


def received(sent: Notification, sender: str = SENDER) -> EmailMessage:
    """The mail as the other side reads it."""
    return message_from_bytes(bytes(build_message(sent, sender, LINKS)), policy=policy.SMTP)


def text_of(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace("\r\n", "\n")


def test_attempts_at_one_target_share_a_message_id_and_other_targets_do_not() -> None:
    first, second = received(notification(attempt=1)), received(notification(attempt=2, may_repeat=True))
    other = received(notification(key=f"{EXECUTION}.2.2"))
    assert first["Message-ID"] == second["Message-ID"] == f"<{EXECUTION}.2.1@example.org>"
    assert other["Message-ID"] != first["Message-ID"]


def test_all_mails_of_an_execution_are_one_conversation() -> None:
    root = f"<{EXECUTION}@example.org>"
    for step in (1, 2):
        mail = received(notification(step=step, key=f"{EXECUTION}.{step}.1", node_name=f"node {step}"))
        assert mail["In-Reply-To"] == mail["References"] == root
        assert mail["Message-ID"] != root
        assert mail["Subject"] == "[critical] Disk full on db-1"


def test_headers_tell_machines_what_the_mail_is() -> None:
    mail = received(notification())
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-AlertOps-Execution"] == EXECUTION
    assert [mail[f"X-AlertOps-{name}"] for name in ("Step", "Target", "Attempt")] == ["2", "1", "3"]
    age = datetime.now(UTC) - parsedate_to_datetime(mail["Date"])
    assert timedelta(seconds=-1) <= age < timedelta(minutes=1)


def test_the_body_says_what_happened_and_how_to_acknowledge() -> None:
    lines = received(notification()).get_content().splitlines()
    assert lines[0] == "Disk full on db-1"
    for line in (
        "Severity: critical",
        "Team: Storage",
        "Flow: Nights",
        "Node: First on call",
        "Started: 2026-03-01 02:30:00+00:00",
        LINKS.url_of(notification().key),
    ):
        assert line in lines
    assert lines.index("free: 0") + 1 == lines.index('host: "db-1"')


def test_only_a_possible_repeat_says_that_it_may_be_one() -> None:
    assert "may be a repeat" in body_of(notification(may_repeat=True), LINKS)
    assert "may be a repeat" not in body_of(notification(), LINKS)


def test_line_breaks_in_an_alert_cannot_add_headers() -> None:
    mail = received(
        notification(summary="down\r\nBcc: all@example.com\r\n\r\nhello", severity="high\nX-A: 1")
    )
    assert mail.keys() == HEADERS
    assert mail["Subject"] == "[high X-A: 1] down Bcc: all@example.com hello"


def test_a_summary_that_quotes_an_encoded_word_is_not_decoded() -> None:
    assert received(notification(summary="=?utf-8?q?spoof?="))["Subject"] == "[critical] = ?utf-8?q?spoof?="


def test_long_text_is_cut_and_says_so() -> None:
    sent = notification(summary="x" * 5000, details={f"k{i:03}": "é" * 5000 for i in range(150)})
    assert len(subject_of(sent)) == MAX_SUBJECT
    assert subject_of(sent).endswith("…")
    body = body_of(sent, LINKS)
    assert "... and 50 more" in body
    assert len(body) < 110_000


def test_values_that_json_does_not_know_are_shown_all_the_same() -> None:
    assert 'at: "2026-03-01' in body_of(notification(details={"at": datetime(2026, 3, 1, tzinfo=UTC)}), LINKS)


@pytest.mark.parametrize("text", ["a" * 3000, "🔥" * 900, "ü " * 900, "a" * 300 + "🔥", ".", ".." * 600])
def test_no_line_is_longer_than_smtp_allows_and_none_needs_eight_bits(text: str) -> None:
    raw = bytes(build_message(notification(summary=text, details={text: text}), SENDER, LINKS))
    assert raw.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert text_of(received(notification(summary=text))) == body_of(notification(summary=text), LINKS)


def test_long_addresses_and_identifiers_are_not_broken() -> None:
    sender = f"alerts@{'long-label-' * 5}x.{'y' * 60}.example.org"
    address = f"{'o' * 64}@{'z' * 60}.{'w' * 60}.example.com"
    raw = bytes(build_message(notification(address=address), sender, LINKS))
    assert f"To: {address}\r\n".encode() in raw
    assert f"References: <{EXECUTION}@{sender.partition('@')[2]}>\r\n".encode() in raw


def test_a_key_of_any_text_is_a_well_formed_message_id() -> None:
    keys = ["a b", "a\r\nb", "a>b", "é", "a%20b"]
    ids = {received(notification(key=key))["Message-ID"] for key in keys}
    assert len(ids) == len(keys)
    assert all(re.fullmatch(r"<[A-Za-z0-9%.]+@example\.org>", text) for text in ids)


def test_lines_that_begin_with_a_dot_are_stuffed_and_the_message_ends_with_one() -> None:
    assert data_of(b".a\r\nb\r\n..\r\n") == b"..a\r\nb\r\n...\r\n.\r\n"
    assert data_of(b"a") == b"a\r\n.\r\n"


def test_an_international_domain_is_mailed_as_a_labels() -> None:
    assert received(notification(address="ops@bücher.example"))["To"] == "ops@xn--bcher-kva.example"
    mail = received(notification(), sender="a@bücher.example")
    assert mail["Message-ID"].endswith("@xn--bcher-kva.example>")


def test_a_local_part_outside_ascii_is_permanent_and_says_why() -> None:
    with pytest.raises(ChannelError, match="SMTPUTF8 is not supported") as caught:
        build_message(notification(address="jürgen@example.com"), SENDER, LINKS)
    assert caught.value.permanent


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ops",
        "@example.com",
        "ops@",
        "o ps@example.com",
        "ops@example.com\r\nBcc: x@example.com",
        "ops@example.com\n",
        "ops\n@example.com",
        "Ops <ops@example.com>",
        "a@b@example.com",
        "a,b@example.com",
        "a..b@example.com",
        "=?utf-8?q?x?=@example.com",
        "ops@exa mple.com",
        "ops@-ü-.example",
        f"ops@{'x.' * 130}com",
        f"{'x' * 65}@example.com",
    ],
)
def test_what_is_no_address_is_refused_for_good(address: str) -> None:
    with pytest.raises(ChannelError) as caught:
        build_message(notification(address=address), SENDER, LINKS)
    assert caught.value.permanent
    assert "\n" not in caught.value.detail
    assert "\r" not in caught.value.detail


def settings(**changes: Any) -> SmtpSettings:
    usual: dict[str, Any] = {"username": None, "password": None, "mail_from": SENDER}
    return SmtpSettings(host="mail", port=25, security="none", **(usual | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"username": "u"},
        {"password": "p"},
        {"username": "u", "password": "pässword"},
        {"mail_from": "nobody"},
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the sentence differs, the refusal is the promise
        settings(**changes)


def test_settings_do_not_show_their_password() -> None:
    assert "s3cret" not in repr(settings(username="u", password="s3cret"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
# Text that attacks a header or an encoding is rare in plain random text.
nasty = st.lists(
    st.sampled_from(["\r\n", "\n", "\r", "\0", " ", "  ", "\t", "\x85", "\u2028", "\ud800", "🔥", "é", "."])
    | st.sampled_from(
        ["Bcc: x@y.example", "=?utf-8?q?a?=", "=?", "?=", "<a@b>", ";", "\\", '"', "word " * 40]
    )
    | st.text(alphabet=string.ascii_letters, max_size=90)
).map("".join)
any_text = st.text() | nasty | st.text(alphabet=st.characters(), max_size=400)


notifications = st.builds(
    notification,
    summary=any_text,
    severity=any_text,
    details=st.dictionaries(any_text, json_values | any_text, max_size=4),
    team_name=any_text,
    flow_name=any_text,
    node_name=any_text,
    key=st.text(min_size=1),
    may_repeat=st.booleans(),
)


@examples(deadline=None)  # a busy machine is not a failure
@given(notifications)
def test_no_text_changes_the_headers_and_the_body_arrives_as_written(sent: Notification) -> None:
    mail = received(sent)
    assert mail.keys() == HEADERS
    assert not mail.defects
    assert text_of(mail) == body_of(sent, LINKS)
    assert mail["Subject"] == subject_of(sent)
    assert mail["To"] == "ops@example.com"
    assert mail["References"] == f"<{EXECUTION}@example.org>"


@examples(deadline=None)
@given(notifications)
def test_no_text_adds_a_line_to_the_body(sent: Notification) -> None:
    expected = 10 + 2 * sent.may_repeat + (2 + len(sent.details) if sent.details else 0)
    assert len(body_of(sent, LINKS).splitlines()) == expected


@examples(deadline=None)
@given(text=any_text, limit=st.integers(1, 50))
def test_one_line_is_one_short_line_in_every_encoding(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert line.encode("utf-8").decode("utf-8") == line


@examples(deadline=None)
@given(st.text())
def test_a_detail_of_printable_text_can_be_read_back_as_json(text: str) -> None:
    clean = one_line(text, 400)
    line = next(
        line
        for line in body_of(notification(details={"k": clean}), LINKS).split("\n")
        if line.startswith("k: ")
    )
    assert json.loads(line.removeprefix("k: ")) == clean


@examples(deadline=None)
@given(st.emails(domains=st.just("example.com")).filter(lambda address: "=?" not in address))
def test_every_usual_address_is_mailed_unchanged(address: str) -> None:
    assert ascii_address(address) == address
    assert received(notification(address=address))["To"] == address


def test_a_mail_to_somebody_outside_the_team_says_how_to_stop_them() -> None:
    mail = received(notification(stop_token="mlt_abc"))
    url = f"{URL}/api/v1/stop/mlt_abc"
    assert mail["List-Unsubscribe"] == f"<{url}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"POST {url}" in text_of(mail).splitlines()
    assert received(notification())["List-Unsubscribe"] is None
    assert "mlt_abc" not in repr(notification(stop_token="mlt_abc"))
