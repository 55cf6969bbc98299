"""Whatever is sent, the answer is a problem that names the fault, and nothing is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.integration.api_client import (
    Person,
    a_flow,
    a_node,
    assert_problem,
    person,
    row_counts,
)
from tests.integration.conftest import RecordingPublisher


@dataclass(frozen=True)
class Place:
    """Ann's team, with a flow and an execution: the places where bodies can be posted."""

    ann: Person
    paths: dict[str, str]
    session: Session
    publisher: RecordingPublisher

    def post(
        self, where: str, data: str | bytes, content_type: str | None = "application/json"
    ) -> TestResponse:
        return self.ann.post(self.paths[where], data=data, content_type=content_type)

    def traces(self) -> tuple[dict[str, int], int]:
        """How much is in the database, and how much was published."""
        return row_counts(self.session), len(self.publisher.messages)


@pytest.fixture
def place(app: Flask, session: Session, publisher: RecordingPublisher) -> Place:
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    flow = ann.make(f"/teams/{team}/flows", a_flow())["id"]
    execution = ann.make(f"/flows/{flow}/executions", {"summary": "disk full"})["id"]
    paths = {
        "register": "/auth/register",
        "login": "/auth/login",
        "team": "/teams",
        "flow": f"/teams/{team}/flows",
        "alert": f"/flows/{flow}/executions",
        "acknowledge": f"/executions/{execution}/acknowledge",
        "resolve": f"/executions/{execution}/resolve",
    }
    return Place(ann, paths, session, publisher)


def nested(levels: int) -> Any:
    """An object of so many levels."""
    value: Any = {}
    for _ in range(levels - 1):
        value = {"in": value}
    return value


def account(**changes: Any) -> dict[str, Any]:
    return {"email": "bob@example.org", "name": "Bob", "password": "long enough to pass", **changes}


def alert(**changes: Any) -> dict[str, Any]:
    return {"summary": "disk full", **changes}


def retry(**policy: Any) -> dict[str, Any]:
    return a_flow(a_node(retry=policy))


def recipient(**value: Any) -> dict[str, Any]:
    return a_flow(a_node(recipient=value))


FAULTS: list[tuple[str, Any, str]] = [
    # anything at all
    ("team", [], ""),
    ("team", "name", ""),
    ("team", 5, ""),
    ("team", {}, "/name"),
    ("team", {"name": "x", "colour": "red"}, "/colour"),
    ("team", {"name": "x", "a/b~c": 1}, "/a~1b~0c"),
    ("team", {"name": None}, "/name"),
    ("team", {"name": 5}, "/name"),
    ("team", {"name": ["x"]}, "/name"),
    ("team", {"name": ""}, "/name"),
    ("team", {"name": "   \n"}, "/name"),
    ("team", {"name": "x" * 101}, "/name"),
    ("team", {"name": "a\x00b"}, "/name"),
    ("team", {"name": "a\ud800b"}, "/name"),
    # accounts
    ("register", account(email="bob"), "/email"),
    ("register", account(email="bob@"), "/email"),
    ("register", account(email="Bob <bob@example.org>"), "/email"),
    ("register", account(email="b\u00f6b@example.org"), "/email"),
    ("register", account(email="bob@example.org\r\nBcc: all@example.org"), "/email"),
    ("register", account(email=f"{'b' * 250}@example.org"), "/email"),
    ("register", account(email="bob@" + "\u00e4" * 150_000 + ".org"), "/email"),
    ("register", account(email=7), "/email"),
    ("register", account(password="x" * 11), "/password"),
    ("register", account(password="x" * 129), "/password"),
    ("register", account(password=123456789012), "/password"),
    ("register", account(is_admin=True), "/is_admin"),
    ("login", {"email": "bob@example.org"}, "/password"),
    ("login", {"email": {"$ne": ""}, "password": "x"}, "/email"),
    # flows
    ("flow", a_flow(name=None), "/name"),
    ("flow", {"name": "x"}, "/nodes"),
    ("flow", {"name": "x", "nodes": []}, "/nodes"),
    ("flow", {"name": "x", "nodes": {}}, "/nodes"),
    ("flow", {"name": "x", "nodes": ["first"]}, "/nodes/0"),
    ("flow", a_flow(*[a_node()] * 51), "/nodes"),
    ("flow", a_flow(description=None), "/description"),
    ("flow", a_flow(description="x" * 2001), "/description"),
    ("flow", a_flow(repeat=10), "/repeat"),
    ("flow", a_flow(repeat=-1), "/repeat"),
    ("flow", a_flow(repeat=True), "/repeat"),
    ("flow", a_flow(repeat="1"), "/repeat"),
    ("flow", a_flow(repeat=1.0), "/repeat"),
    ("flow", a_flow(ack_timeout_seconds=59), "/ack_timeout_seconds"),
    ("flow", a_flow(a_node(), a_node(delay_seconds="5")), "/nodes/1/delay_seconds"),
    ("flow", a_flow(a_node(delay_seconds=1.5)), "/nodes/0/delay_seconds"),
    ("flow", a_flow(a_node(delay_seconds=True)), "/nodes/0/delay_seconds"),
    ("flow", a_flow(a_node(delay_seconds=None)), "/nodes/0/delay_seconds"),
    ("flow", a_flow(a_node(delay_seconds=-1)), "/nodes/0/delay_seconds"),
    ("flow", a_flow(a_node(delay_seconds=30 * 24 * 3600 + 1)), "/nodes/0/delay_seconds"),
    ("flow", a_flow(a_node(delay_seconds=10**4000)), "/nodes/0/delay_seconds"),
    ("flow", a_flow(a_node(name="")), "/nodes/0/name"),
    ("flow", a_flow(a_node(id=str(uuid4()))), "/nodes/0/id"),
    ("flow", a_flow(a_node(on_failure="explode")), "/nodes/0/on_failure"),
    ("flow", a_flow(a_node(on_failure=["wait"])), "/nodes/0/on_failure"),
    ("flow", a_flow(a_node(on_unknown=None)), "/nodes/0/on_unknown"),
    ("flow", a_flow(a_node(retry=None)), "/nodes/0/retry"),
    ("flow", a_flow(a_node(retry=3)), "/nodes/0/retry"),
    ("flow", retry(max_attempts=0), "/nodes/0/retry/max_attempts"),
    ("flow", retry(max_attempts=21), "/nodes/0/retry/max_attempts"),
    ("flow", retry(backoff_seconds=0), "/nodes/0/retry/backoff_seconds"),
    ("flow", retry(backoff_seconds=24 * 3600 + 1), "/nodes/0/retry/backoff_seconds"),
    ("flow", retry(max_backoff_seconds=0), "/nodes/0/retry/max_backoff_seconds"),
    ("flow", retry(backoff_factor="2"), "/nodes/0/retry/backoff_factor"),
    ("flow", retry(backoff_factor=True), "/nodes/0/retry/backoff_factor"),
    ("flow", retry(backoff_factor=0.5), "/nodes/0/retry/backoff_factor"),
    ("flow", retry(backoff_factor=10.5), "/nodes/0/retry/backoff_factor"),
    ("flow", retry(backoff_factor=10**400), "/nodes/0/retry/backoff_factor"),
    ("flow", retry(jitter=1.5), "/nodes/0/retry/jitter"),
    ("flow", a_flow({"name": "x", "delay_seconds": 0}), "/nodes/0/recipient"),
    ("flow", a_flow(a_node(recipient="bob@example.org")), "/nodes/0/recipient"),
    ("flow", recipient(), "/nodes/0/recipient/type"),
    ("flow", recipient(type="pigeon"), "/nodes/0/recipient/type"),
    ("flow", recipient(type=["email"]), "/nodes/0/recipient/type"),
    ("flow", recipient(type="email"), "/nodes/0/recipient/email"),
    ("flow", recipient(type="email", email="x"), "/nodes/0/recipient/email"),
    ("flow", recipient(type="email", email="a@b.org", user_id="x"), "/nodes/0/recipient/user_id"),
    ("flow", recipient(type="user", user_id="x"), "/nodes/0/recipient/user_id"),
    ("flow", recipient(type="user", user_id=5), "/nodes/0/recipient/user_id"),
    ("flow", recipient(type="user", user_id=str(uuid4())), "/nodes/0/recipient/user_id"),
    # alerts
    ("alert", {}, "/summary"),
    ("alert", alert(summary=""), "/summary"),
    ("alert", alert(summary="x" * 1025), "/summary"),
    ("alert", alert(summary=None), "/summary"),
    ("alert", alert(severity="catastrophic"), "/severity"),
    ("alert", alert(severity=None), "/severity"),
    ("alert", alert(severity=1), "/severity"),
    ("alert", alert(dedup_key=""), "/dedup_key"),
    ("alert", alert(dedup_key="x" * 256), "/dedup_key"),
    ("alert", alert(dedup_key=5), "/dedup_key"),
    ("alert", alert(details=[]), "/details"),
    ("alert", alert(details="x"), "/details"),
    ("alert", alert(details=None), "/details"),
    ("alert", alert(details={"a": ["x\x00"]}), "/details/a/0"),
    ("alert", alert(details={"a": {"b\x00": 1}}), "/details/a"),
    ("alert", alert(details={"a": "\udfff"}), "/details/a"),
    ("alert", alert(details={"a\ud800": 1}), "/details"),
    ("alert", alert(details=nested(21)), "/details" + "/in" * 20),
    ("alert", alert(status="resolved"), "/status"),
    # answers
    ("acknowledge", {"by": "somebody else"}, "/by"),
    ("acknowledge", [], ""),
    ("resolve", {"note": ""}, "/note"),
]


@pytest.mark.parametrize(("where", "body", "pointer"), FAULTS)
def test_a_fault_is_named_and_nothing_is_written(place: Place, where: str, body: Any, pointer: str) -> None:
    before = place.traces()
    problem = assert_problem(place.post(where, json.dumps(body)), 422)
    assert pointer in {error["pointer"] for error in problem["errors"]}
    assert all(error["detail"] for error in problem["errors"])
    assert place.traces() == before


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"{", 400, id="cut off"),
        pytest.param(b"{'summary': 'x'}", 400, id="not JSON"),
        pytest.param(b'{"summary": "x"} {}', 400, id="two documents"),
        pytest.param(b'{"summary": "\xff"}', 400, id="not UTF-8"),
        pytest.param('{"summary": "x"}'.encode("utf-16"), 400, id="UTF-16"),
        pytest.param(b'\xef\xbb\xbf{"summary": "x"}', 400, id="with a byte order mark"),
        pytest.param(b'{"summary": "x", "details": {"a": NaN}}', 400, id="NaN"),
        pytest.param(b'{"summary": "x", "details": {"a": -Infinity}}', 400, id="Infinity"),
        pytest.param(b'{"summary": "x", "details": {"a": 1e999}}', 400, id="a float too large"),
        pytest.param(
            b'{"summary": "x", "details": {"a": ' + b"9" * 5000 + b"}}", 400, id="an endless integer"
        ),
        pytest.param(b'{"summary": "x", "details": ' + b'{"a":' * 900 + b"1" + b"}" * 901, 422, id="deep"),
        pytest.param(b"[" * 500_000, 400, id="deeper than the stack"),
        pytest.param(b'{"a":' * 200_000, 400, id="deeper than the stack, in objects"),
        pytest.param(b'{"summary": "' + b"x" * 1024 * 1024 + b'"}', 413, id="larger than 1 MiB"),
        pytest.param(b"", 422, id="empty"),
        pytest.param(b"null", 422, id="null"),
    ],
)
def test_a_body_that_is_no_object_is_a_problem(place: Place, raw: bytes, status: int) -> None:
    before = place.traces()
    assert_problem(place.post("alert", raw), status)
    assert place.traces() == before


def test_a_body_whose_length_is_not_told_is_not_cut_off_at_the_limit(place: Place) -> None:
    def chunked(raw: bytes) -> TestResponse:
        return place.ann.post(
            "/teams",
            input_stream=BytesIO(raw),
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )

    before = place.traces()
    assert_problem(chunked(b'{"name": "x"}' + b" " * 1024 * 1024), 413)
    assert place.traces() == before
    assert chunked(b'{"name": "x"}').status_code == 201


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_said_to_be_json_is_a_problem(place: Place, content_type: str | None) -> None:
    assert_problem(place.post("alert", '{"summary": "x"}', content_type), 415)


def test_a_hundred_thousand_faults_make_a_short_answer(place: Place) -> None:
    body = {f"f{number}": 1 for number in range(80_000)}
    problem = assert_problem(place.ann.post("/teams", body), 422)
    assert len(problem["errors"]) == 50


@pytest.mark.parametrize(
    "details",
    [
        {"n": 10**4000, "small": 5e-324, "large": 1.5e22, "minus": -(2**63) - 1},
        nested(20),
        {"": {"": [[], {}, "", None, False]}, "\u2028": "\U0001f525\u202e", "a/b": "~"},
        {"list": list(range(50_000))},
    ],
    ids=["numbers", "20 levels", "odd names", "long"],
)
def test_details_come_back_as_they_were_sent(place: Place, details: dict[str, Any]) -> None:
    raised = place.ann.make(place.paths["alert"], alert(details=details))
    assert raised["details"] == details
    shown = place.ann.get(f"/executions/{raised['id']}").json or {}
    assert shown["details"] == details
