"""An archived flow starts nothing, and what runs of it finishes."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.integration.api_client import Person, a_flow, a_node, assert_problem, person, row_counts
from tests.integration.editing import EditedFlow, edited_flow

ALERT = {"summary": "disk full"}


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def flow(ann: Person) -> EditedFlow:
    return edited_flow(ann, "a", "b")


def test_an_archived_flow_starts_nothing_and_says_so(flow: EditedFlow, session: Session) -> None:
    # Neither with the key of nothing, nor without a key beside one that runs without a key.
    flow.ann.make(f"{flow.path}/executions", ALERT)
    archived = flow.edit("DELETE")
    assert archived["archived_at"] is not None
    before = row_counts(session)
    for alert in (ALERT, {**ALERT, "dedup_key": "db1"}):
        problem = assert_problem(flow.ann.post(f"{flow.path}/executions", alert), 409)
        assert "archived" in problem["detail"]
        assert problem["current"] == {"archived": True}
    assert row_counts(session) == before


def test_what_runs_of_an_archived_flow_is_seen_joined_and_answered(flow: EditedFlow) -> None:
    alert = {**ALERT, "dedup_key": "db1"}
    running = flow.ann.make(f"{flow.path}/executions", alert)
    flow.edit("DELETE")
    joined = flow.ann.post(f"{flow.path}/executions", alert)
    assert (joined.status_code, (joined.json or {})["alert_count"]) == (200, 2)
    shown = flow.ann.get(f"/executions/{running['id']}").json or {}
    assert [step["status"] for step in shown["steps"]] == ["waiting", "planned"]
    for answer in ("acknowledge", "resolve"):
        assert flow.ann.post(f"/executions/{running['id']}/{answer}").status_code == 200
    assert_problem(flow.ann.post(f"{flow.path}/executions", alert), 409)


def test_an_archived_flow_can_be_read_and_not_edited(flow: EditedFlow, session: Session) -> None:
    flow.edit("DELETE")
    before = row_counts(session)
    for method, path, body in (
        ("PATCH", "", {"name": "x"}),
        ("POST", "/nodes", a_node()),
        ("DELETE", f"/nodes/{flow.ids()[0]}", None),
        ("POST", "/revisions/1/restore", None),
    ):
        problem = assert_problem(flow.call(method, path, body), 409)
        assert "unarchive" in problem["detail"]
    assert row_counts(session) == before
    assert len(flow.get("/revisions")["items"]) == 1


def test_archiving_is_safe_to_repeat(flow: EditedFlow) -> None:
    first = flow.call("DELETE", seen='"1"')
    # As the first caller would who did not get the answer, and as one who did.
    for seen in ('"1"', '"1-archived"', "*"):
        again = flow.call("DELETE", seen=seen)
        assert (again.status_code, again.json, again.headers["ETag"]) == (200, first.json, '"1-archived"')


def test_an_unarchived_flow_is_as_it_was(flow: EditedFlow) -> None:
    before = flow.get()
    flow.edit("DELETE")
    assert_problem(flow.call("POST", "/unarchive", seen='"1"'), 412)
    back = flow.call("POST", "/unarchive", seen='"1-archived"')
    assert (back.status_code, back.json, back.headers["ETag"]) == (200, before, '"1"')
    again = flow.call("POST", "/unarchive", seen='"1-archived"')
    assert (again.status_code, again.json) == (200, before)
    flow.ann.make(f"{flow.path}/executions", ALERT)


def test_archived_flows_are_listed_apart(ann: Person) -> None:
    team = ann.make("/teams", {"name": "Operations"})["id"]
    flows = [EditedFlow(ann, ann.make(f"/teams/{team}/flows", a_flow())["id"]) for _ in range(4)]
    for flow in flows[:3]:
        flow.edit("DELETE")

    def listed(query: str) -> list[str]:
        page = ann.get(f"/teams/{team}/flows{query}").json or {}
        return [item["id"] for item in page["items"]]

    assert listed("") == listed("?archived=false") == [flows[3].id]
    assert listed("?archived=true") == [flow.id for flow in flows[2::-1]]
    page = ann.get(f"/teams/{team}/flows?archived=true&limit=2").json or {}
    assert listed(f"?archived=true&cursor={page['next_cursor']}") == [flows[0].id]
    for wrong in ("archived=yes", "archived=", "archived=true&archived=true", "archived=1"):
        problem = assert_problem(ann.get(f"/teams/{team}/flows?{wrong}"), 422)
        assert problem["errors"][0]["parameter"] == "archived"
