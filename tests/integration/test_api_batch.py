"""Many alerts in one request: all of them, in their order, or none."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from alertops.services.alerts import MAX_AT_ONCE
from alertops.services.batches_at_once import AT_ONCE
from tests.integration.api_client import Person, a_flow, assert_problem, person, row_counts
from tests.integration.conftest import RecordingPublisher


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def flow(ann: Person) -> str:
    team = ann.make("/teams", {"name": "Operations"})["id"]
    return str(ann.make(f"/teams/{team}/flows", a_flow())["id"])


def alerts(*keys: str | None) -> list[dict[str, Any]]:
    return [{"summary": f"alert {n}", "dedup_key": key} for n, key in enumerate(keys)]


def test_a_batch_is_accepted_with_a_result_for_each_alert_in_order(
    ann: Person, flow: str, publisher: RecordingPublisher
) -> None:
    old = ann.make(f"/flows/{flow}/executions", alerts("open")[0])
    body = {"alerts": alerts(None, "open", "new", "new")}
    results = ann.make(f"/flows/{flow}/executions/batch", body)["results"]
    told = [(one["created"], one["dedup_key"], one["status"], one["alert_count"]) for one in results]
    assert told == [
        (True, None, "running", 1),
        (False, "open", "running", 2),
        (True, "new", "running", 2),
        (False, "new", "running", 2),
    ]
    assert results[1]["execution_id"] == old["id"]
    assert results[2]["execution_id"] == results[3]["execution_id"]
    shown = ann.get(f"/executions/{results[2]['execution_id']}").json or {}
    assert shown["summary"] == "alert 2"
    assert len(publisher.messages) == 3


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"alerts": [*alerts(None, None, None), {"summary": ""}]}, "/alerts/3/summary"),
        ({"alerts": [*alerts(None), {"severity": "critical"}]}, "/alerts/1/summary"),
        ({"alerts": [*alerts(None), {"summary": "s", "odd": 1}]}, "/alerts/1/odd"),
        ({"alerts": [*alerts(None), "s"]}, "/alerts/1"),
        ({"alerts": []}, "/alerts"),
        ({"alerts": alerts(*[None] * (MAX_AT_ONCE + 1))}, "/alerts"),
        ({"alerts": {"0": alerts(None)[0]}}, "/alerts"),
        ({}, "/alerts"),
    ],
)
def test_one_bad_alert_refuses_the_batch_and_says_which(
    ann: Person, flow: str, session: Session, body: Any, pointer: str
) -> None:
    before = row_counts(session)
    problem = assert_problem(ann.post(f"/flows/{flow}/executions/batch", body), 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert row_counts(session) == before


def test_as_many_as_are_allowed_are_accepted_at_once(
    ann: Person, flow: str, publisher: RecordingPublisher
) -> None:
    body = {"alerts": alerts(*[None] * MAX_AT_ONCE)}
    results = ann.make(f"/flows/{flow}/executions/batch", body)["results"]
    assert len({one["execution_id"] for one in results}) == MAX_AT_ONCE
    assert len(publisher.messages) == MAX_AT_ONCE


def test_a_team_with_as_many_batches_under_way_as_it_may_have_is_told_to_come_again(
    app: Flask, ann: Person, flow: str, session: Session
) -> None:
    (team,) = (ann.get("/teams").json or {})["items"]
    path, body = f"/flows/{flow}/executions/batch", {"alerts": alerts(None)}
    at_once = app.extensions["alertops.batches_at_once"]
    before = row_counts(session)
    with ExitStack() as under_way:
        for _ in range(AT_ONCE):
            under_way.enter_context(at_once.one_of(UUID(team["id"])))
        refused = ann.post(path, body)
        assert_problem(refused, 429)
        assert refused.headers["Retry-After"] == "1"
        assert row_counts(session) == before
        # One by one, and for other teams, nothing is different.
        assert ann.post(f"/flows/{flow}/executions", alerts(None)[0]).status_code == 202
        with at_once.one_of(uuid4()):
            pass
    assert ann.post(path, body).status_code == 202
    assert not at_once._under_way
