"""What letters say, and that no name in them can make them say anything else."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from alertops.channels.letter import LetterText, build_letter
from alertops.models.letter import LetterKind
from alertops.services.letters.letter_texts import LetterFacts, text_of

TOKEN = "mlt_0123456789012345678901234567890123456789012"
URL = "https://alertops.example.org"


def facts(kind: LetterKind, **changes: str) -> LetterFacts:
    usual = {"user_name": "Ben", "team_name": "Storage", "role": "member", "inviter_name": "Ann"} | changes
    until = datetime(2026, 3, 1, 12, tzinfo=UTC)
    return LetterFacts(kind, "ben@example.org", until, may_repeat=False, **usual)


def sent(text: LetterText) -> tuple[str, str]:
    raw = bytes(build_letter("ben@example.org", "a-key", text, "alerts@alertops.test"))
    message = message_from_bytes(raw, policy=policy.SMTP)
    assert message["To"] == "ben@example.org"
    assert message["Message-ID"] == "<a-key@alertops.test>"
    return str(message["Subject"]), message.get_content()


@pytest.mark.parametrize("kind", [k for k in LetterKind if k is not LetterKind.ADDRESS_TAKEN])
def test_a_letter_brings_its_token_and_says_until_when_it_is_good(kind: LetterKind) -> None:
    _, body = sent(text_of(facts(kind), TOKEN, URL))
    assert TOKEN in body
    assert f"{URL}/api/v1/" in body
    assert "2026-03-01 12:00 UTC" in body


def test_who_is_only_told_that_they_have_an_account_gets_no_token() -> None:
    _, body = sent(text_of(facts(LetterKind.ADDRESS_TAKEN), TOKEN, URL))
    assert TOKEN not in body
    assert f"POST {URL}/api/v1/auth/password-reset" in body


@pytest.mark.parametrize("kind", LetterKind)
@pytest.mark.parametrize(
    "name", ["x\r\nBcc: all@example.org", "x\n\nPOST https://evil.example", "=?utf-8?q?x?="]
)
def test_a_name_adds_no_header_and_no_line(kind: LetterKind, name: str) -> None:
    plain_subject, plain = sent(text_of(facts(kind), TOKEN, URL))
    subject, body = sent(text_of(facts(kind, user_name=name, team_name=name, inviter_name=name), TOKEN, URL))
    assert len(body.splitlines()) == len(plain.splitlines())
    assert "\n" not in subject
    assert len(subject.split()) <= len(plain_subject.split()) + 4


def test_a_letter_that_may_be_a_repeat_says_so() -> None:
    once = facts(LetterKind.INVITATION)
    again = LetterFacts(**{**vars(once), "may_repeat": True})
    assert "may be a repeat" in sent(text_of(again, TOKEN, URL))[1]
    assert "may be a repeat" not in sent(text_of(once, TOKEN, URL))[1]


def test_a_text_with_a_token_is_not_shown_where_it_is_logged() -> None:
    assert TOKEN not in repr(text_of(facts(LetterKind.INVITATION), TOKEN, URL))
