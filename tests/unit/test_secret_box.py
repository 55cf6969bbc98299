"""Secrets that are stored: sealed with the newest key, opened with any, and never told."""

from __future__ import annotations

import pytest

from alertops.errors import SecretsError
from alertops.secret_box import MAX_KEYS, SecretBox, key_name, new_key, problems_of

OLD, NEW = new_key(), new_key()


def test_what_is_sealed_is_opened_and_looks_different_each_time() -> None:
    box = SecretBox([NEW])
    sealed = [box.seal("whsec_x") for _ in range(2)]
    assert [box.open(text) for text in sealed] == ["whsec_x", "whsec_x"]
    assert sealed[0] != sealed[1]
    assert not any("whsec" in text for text in sealed)


def test_the_newest_key_seals_and_the_older_ones_open() -> None:
    sealed = SecretBox([OLD]).seal("x")
    both = SecretBox([NEW, OLD])
    assert both.open(sealed) == "x"
    resealed = both.reseal(sealed)
    assert (sealed.partition(".")[0], resealed.partition(".")[0]) == (key_name(OLD), key_name(NEW))
    assert SecretBox([NEW]).open(resealed) == "x"


def test_a_key_that_is_missing_is_named_by_its_hash() -> None:
    sealed = SecretBox([OLD]).seal("x")
    with pytest.raises(SecretsError, match=f"{key_name(OLD)}, which ALERTOPS_SECRETS_KEYS does not have"):
        SecretBox([NEW]).open(sealed)


@pytest.mark.parametrize("change", ["cut", "flipped", "another key's name"])
def test_what_was_tampered_with_does_not_open_and_is_not_quoted(change: str) -> None:
    sealed = SecretBox([OLD]).seal("x")
    token = sealed.partition(".")[2]
    tampered = {
        "cut": sealed[:-4],
        "flipped": sealed[:-5] + ("A" if sealed[-5] != "A" else "B") + sealed[-4:],
        "another key's name": f"{key_name(NEW)}.{token}",
    }[change]
    with pytest.raises(SecretsError) as caught:
        SecretBox([NEW, OLD]).open(tampered)
    assert token[:12] not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_box_tells_nothing_of_its_keys() -> None:
    assert OLD not in repr(SecretBox([OLD]))
    assert key_name(OLD) not in OLD


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ([], "is not set; this makes a key: alertops secrets generate"),
        ([OLD, "too-short-canary"], "key 2 is none; this makes one: alertops secrets generate"),
        (["é" * 44], "key 1 is none"),
        ([new_key() for _ in range(MAX_KEYS + 1)], f"at most {MAX_KEYS} keys, and has {MAX_KEYS + 1}"),
    ],
)
def test_unfit_keys_are_told_without_quoting_them(keys: list[str], problem: str) -> None:
    [said] = problems_of(keys)
    assert said.startswith("ALERTOPS_SECRETS_KEYS ")
    assert problem in said
    assert not any(key in said for key in keys)


def test_good_keys_have_no_problem() -> None:
    assert list(problems_of([NEW, OLD])) == []
