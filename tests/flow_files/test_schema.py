"""The published schema is the one that files are read with, and other programs understand it as we do."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from alertops.flow_files.check import faults_of
from alertops.flow_files.definition import content_of
from alertops.flow_files.parse import Document
from alertops.flow_files.schema import flow_schema
from tests.flow_files.flows import ADDRESSES, flows

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas" / "flow.schema.json"

# Not written in Python, and without our keywords.
_other = jsonschema_rs.Draft202012Validator(flow_schema())

# What only our keywords say.
BEYOND = ("Must be from ", "Another node is called ")

JUNK: list[Any] = [
    None,
    True,
    0,
    1,
    -1,
    7,
    0.5,
    99,
    "",
    " ",
    "x",
    "5m",
    "0s",
    "99d",
    "a@b",
    [],
    {},
    [1],
    {"type": "x"},
]
MEMBERS = [
    "name",
    "type",
    "email",
    "user_id",
    "url",
    "role",
    "recipients",
    "delay",
    "delay_seconds",
    "budget",
    "x",
]


def test_the_published_schema_is_the_one_that_is_used() -> None:
    assert json.loads(PUBLISHED.read_text()) == flow_schema(), (
        "run: alertops flow schema > docs/schemas/flow.schema.json"
    )


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(flow_schema())


@given(flows())
def test_what_is_exported_is_accepted(flow: dict[str, Any]) -> None:
    content = content_of(flow, ADDRESSES)
    assert faults_of(Document("x", content, {})) == []
    assert _other.is_valid(content)


@given(flows(), st.data())
def test_another_program_accepts_and_refuses_the_same(flow: dict[str, Any], data: st.DataObject) -> None:
    content = deepcopy(content_of(flow, ADDRESSES))
    for _ in range(data.draw(st.integers(1, 3))):
        _break(content, data)
    faults = [fault.detail for fault in faults_of(Document("x", content, {}))]
    refused = [fault for fault in faults if not fault.startswith(BEYOND)]
    assert _other.is_valid(content) == (not refused), faults


def _break(content: Any, data: st.DataObject) -> None:
    """Go some way down, and put something else there, or take something away."""
    at = content
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        inner = [key for key in keys if isinstance(at[key], dict | list) and at[key]]
        if not inner or data.draw(st.booleans()):
            break
        at = at[data.draw(st.sampled_from(inner))]
    if isinstance(at, dict):
        key = data.draw(st.sampled_from(sorted({*at, *MEMBERS})))
        if key in at and data.draw(st.booleans()):
            del at[key]
        else:
            at[key] = data.draw(st.sampled_from(JUNK))
    else:
        at.append(data.draw(st.sampled_from([*JUNK, *at])))


@pytest.mark.parametrize("seconds", [59, 90 * 86_400 + 1])
def test_our_own_keywords_hold_where_json_schema_has_none(seconds: int) -> None:
    node = {"name": "a", "delay": "0s", "recipient": {"type": "role", "role": "owner"}}
    content = {"name": "x", "ack_timeout": f"{seconds}s", "nodes": [node, node]}
    assert _other.is_valid(content)
    said = [fault.detail for fault in faults_of(Document("x", content, {}))]
    assert said == ["Must be from 1m to 90d.", "Another node is called 'a' too."]
