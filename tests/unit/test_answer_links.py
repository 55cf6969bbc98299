"""Links that alerts bring: only what was signed is read, and keys can be rotated."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from alertops.answer_links import AnswerLinks, LinkedTarget

URL = "https://alertops.example.org"
OLD, NEW = "an old key that is long enough ...", "a new key that is long enough ...."
TARGET = LinkedTarget(UUID("7f1f9a52-3c0e-4d57-9f7e-2c1d5e8b9a10"), 2, 1)
LINKS = AnswerLinks(URL, [NEW])
TOKEN = LINKS.token_of(TARGET.key)


def test_what_was_signed_is_read_again() -> None:
    assert LINKS.read(TOKEN) == TARGET
    assert LINKS.url_of(TARGET.key) == f"{URL}/a/{TOKEN}"


def test_every_attempt_brings_the_same_link() -> None:
    assert AnswerLinks(URL, [NEW]).token_of(TARGET.key) == TOKEN


def test_a_token_with_another_character_is_none() -> None:
    for position, character in enumerate(TOKEN):
        other = "A" if character != "A" else "Q"
        assert LINKS.read(TOKEN[:position] + other + TOKEN[position + 1 :]) is None, position


def test_a_truncated_token_is_none() -> None:
    assert [LINKS.read(TOKEN[:length]) for length in range(len(TOKEN))] == [None] * len(TOKEN)


@given(st.text(max_size=300))
def test_nothing_made_up_is_a_token(text: str) -> None:
    assert LINKS.read(text) is None
    assert LINKS.read(f"{text}.{TARGET.key}") is None
    assert LINKS.read(TOKEN + text) is None or not text


def test_the_signature_of_one_target_is_none_of_another() -> None:
    signature = TOKEN.partition(".")[0]
    others = [TARGET._replace(step=3), TARGET._replace(target=2), TARGET._replace(execution_id=UUID(int=0))]
    assert [LINKS.read(f"{signature}.{other.key}") for other in others] == [None, None, None]


def test_another_key_signs_otherwise() -> None:
    assert AnswerLinks(URL, [OLD]).read(TOKEN) is None


def test_keys_are_rotated_by_putting_a_new_one_first() -> None:
    before, during, after = AnswerLinks(URL, [OLD]), AnswerLinks(URL, [NEW, OLD]), AnswerLinks(URL, [NEW])
    old = before.token_of(TARGET.key)
    assert during.read(old) == TARGET
    assert during.token_of(TARGET.key) == TOKEN
    assert after.read(old) is None


def test_no_key_shows_when_links_are_printed() -> None:
    assert NEW not in f"{LINKS!r} {vars(LINKS)}"
