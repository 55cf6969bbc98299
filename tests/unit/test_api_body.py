"""Whatever bytes come, reading them gives an object that can be stored, or a named fault."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest
from werkzeug.test import EnvironBuilder

from api.body import MAX_LEVELS, read_object
from api.problems import InvalidRequestError, body_faults, pointer_to


def request(raw: bytes, content_type: str = "application/json") -> Request:
    return Request(EnvironBuilder(method="POST", data=raw, content_type=content_type).get_environ())


def faults(raw: bytes) -> list[str]:
    with pytest.raises(InvalidRequestError) as caught:
        read_object(request(raw))
    return [fault.pointer for fault in caught.value.faults if hasattr(fault, "pointer")]


plain = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain,
    lambda inner: st.lists(inner) | st.dictionaries(plain, inner),
    max_leaves=20,
)


@given(st.dictionaries(plain, values))
def test_an_object_is_read_as_it_was_written(document: dict[str, Any]) -> None:
    assert read_object(request(json.dumps(document).encode())) == document


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    # Nothing else may come out of it, whatever is sent: that would be an answer 500.
    with suppress(BadRequest, InvalidRequestError):
        assert isinstance(read_object(request(raw)), dict)


def test_no_body_is_an_empty_object() -> None:
    assert read_object(request(b"", "text/plain")) == {}


@pytest.mark.parametrize("bad", ["\\u0000", "\\ud800", "\\udfff", "a\\ud800b"])
def test_text_that_the_database_cannot_hold_is_refused_where_it_stands(bad: str) -> None:
    assert faults(f'{{"a": [1, {{"b": "{bad}"}}]}}'.encode()) == ["/a/1/b"]
    assert faults(f'{{"a": {{"{bad}": 1}}}}'.encode()) == ["/a"]


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert read_object(request(b'{"a": "\\ud83d\\ude00"}')) == {"a": "\N{GRINNING FACE}"}


def test_nesting_is_allowed_up_to_the_limit() -> None:
    allowed = '{"a":' + "[" * MAX_LEVELS + "]" * MAX_LEVELS + "}"
    assert read_object(request(allowed.encode()))
    beyond = allowed.replace("[]", "[[]]")
    assert faults(beyond.encode()) == ["/a" + "/0" * MAX_LEVELS]


def test_a_pointer_escapes_what_would_split_it() -> None:
    assert pointer_to("/nodes/0", "a/b~c") == "/nodes/0/a~1b~0c"


def test_nested_messages_become_pointers() -> None:
    messages = {"nodes": {0: {"retry": {"max_attempts": ["too many"]}}}, "_schema": ["odd"]}
    assert [(fault.pointer, fault.detail) for fault in body_faults(messages)] == [
        ("/nodes/0/retry/max_attempts", "too many"),
        ("", "odd"),
    ]
