"""From a team to an answer, over HTTP alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from alertops.escalation.flow import flow_from_json
from alertops.models import Attempt, Execution, FlowRevision, Membership
from alertops.services.dispatch import FIRE_STEP, Dispatcher
from alertops.services.fire_step import fire_step
from alertops.services.keys import StepKey
from tests.integration.api_client import Person, a_flow, a_node, assert_problem, person, row_counts
from tests.integration.conftest import RecordingPublisher

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def team(ann: Person) -> str:
    return str(ann.make("/teams", {"name": "Operations"})["id"])


@pytest.fixture
def flow(ann: Person, team: str) -> str:
    body = a_flow(a_node("first"), a_node("second", delay_seconds=300), repeat=1)
    return str(ann.make(f"/teams/{team}/flows", body)["id"])


def start(ann: Person, flow: str, **changes: Any) -> dict[str, Any]:
    return ann.make(f"/flows/{flow}/executions", {"summary": "disk full", **changes})


def test_who_opens_a_team_owns_it(ann: Person, team: str) -> None:
    memberships = (ann.get("/me").json or {})["memberships"]
    assert memberships == [{"team_id": team, "team_name": "Operations", "role": "owner"}]
    assert (ann.get(f"/teams/{team}").json or {})["name"] == "Operations"


def test_a_created_thing_is_where_its_location_says(ann: Person, team: str) -> None:
    for path, body in ((f"/teams/{team}/flows", a_flow()), ("/teams", {"name": "Other"})):
        created = ann.post(path, body)
        assert created.status_code == 201
        assert ann.get(created.headers["Location"]).json == created.json


def test_a_flow_comes_back_as_it_was_written_with_its_defaults(ann: Person, team: str) -> None:
    written = a_flow(
        a_node("mail", retry={"max_attempts": 5, "backoff_factor": 1}),
        a_node(
            "ann", recipient={"type": "user", "user_id": str(ann.id)}, on_failure="wait", on_unknown="hold"
        ),
        description="Who is told when the database is down",
        repeat=2,
    )
    flow = ann.make(f"/teams/{team}/flows", written)
    settled = ("name", "description", "repeat", "ack_timeout_seconds", "resolve_after_seconds", "group_by")
    settled += ("group_window_seconds",)
    assert {key: flow[key] for key in (*settled, "revision", "team_id")} == {
        "name": written["name"],
        "description": written["description"],
        "repeat": 2,
        "ack_timeout_seconds": None,
        "resolve_after_seconds": None,
        "group_by": [],
        "group_window_seconds": 300,
        "revision": 1,
        "team_id": team,
    }
    first, second = flow["nodes"]
    assert first["retry"] == {
        "max_attempts": 5,
        "backoff_seconds": 10,
        "backoff_factor": 1.0,
        "max_backoff_seconds": 300,
        "jitter": 0.2,
        "budget_seconds": None,
    }
    assert (first["on_failure"], first["on_unknown"]) == ("escalate", "resend")
    assert (second["on_failure"], second["on_unknown"]) == ("wait", "hold")
    assert second["recipient"] == {"type": "user", "user_id": str(ann.id)}
    assert ann.get(f"/flows/{flow['id']}").json == flow


def test_revision_1_freezes_the_flow_with_the_ids_of_its_nodes(
    ann: Person, team: str, session: Session
) -> None:
    flow = ann.make(f"/teams/{team}/flows", a_flow(a_node("one"), a_node("two")))
    revision = session.scalars(select(FlowRevision)).one()
    assert (revision.number, revision.author_id) == (1, ann.id)
    frozen = flow_from_json(revision.definition)
    assert [node.id for node in frozen.nodes] == [node["id"] for node in flow["nodes"]]
    assert revision.definition == {
        "name": "Database down",
        "description": "",
        "repeat": 0,
        "ack_timeout_seconds": None,
        "resolve_after_seconds": None,
        "group_by": [],
        "group_window_seconds": 300,
        "nodes": [{key: node[key] for key in node} for node in flow["nodes"]],
    }


def test_a_flow_has_the_etag_of_its_revision(ann: Person, flow: str) -> None:
    assert ann.get(f"/flows/{flow}").headers["ETag"] == '"1"'


def test_only_members_of_the_team_can_be_recipients(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    stranger = person(app, "stranger")
    before = row_counts(session)
    body = a_flow(a_node(), a_node("x", recipient={"type": "user", "user_id": str(stranger.id)}))
    problem = assert_problem(ann.post(f"/teams/{team}/flows", body), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/nodes/1/recipient/user_id"]
    assert row_counts(session) == before


def test_an_alert_is_accepted_once_it_is_committed_and_dispatched(
    ann: Person, flow: str, session: Session, publisher: RecordingPublisher
) -> None:
    details = {"host": "db1", "load": [1, 2.5, None, {"deep": True}], "ü": "€"}
    answer = ann.post(
        f"/flows/{flow}/executions", {"summary": "disk full", "severity": "warning", "details": details}
    )
    assert answer.status_code == 202
    execution = answer.json or {}
    assert (execution["status"], execution["severity"], execution["details"]) == (
        "running",
        "warning",
        details,
    )
    assert execution["alert_count"] == 1
    assert session.scalars(select(Execution.id)).one().hex == execution["id"].replace("-", "")
    assert [message.task for message in publisher.messages] == [FIRE_STEP]
    assert answer.headers["Location"].endswith(f"/executions/{execution['id']}")


def test_an_alert_with_the_key_of_an_open_execution_joins_it(ann: Person, flow: str) -> None:
    first = start(ann, flow, dedup_key="db1")
    again = ann.post(f"/flows/{flow}/executions", {"summary": "still full", "dedup_key": "db1"})
    assert again.status_code == 200
    assert again.json is not None
    assert (again.json["id"], again.json["alert_count"]) == (first["id"], 2)
    assert again.headers["Location"].endswith(first["id"])


def test_an_execution_shows_what_is_waiting_and_what_is_planned(ann: Person, flow: str) -> None:
    shown = ann.get(f"/executions/{start(ann, flow)['id']}").json or {}
    assert [(s["number"], s["round"], s["node_name"], s["status"]) for s in shown["steps"]] == [
        (1, 0, "first", "waiting"),
        (2, 0, "second", "planned"),
        (3, 1, "first", "planned"),
        (4, 1, "second", "planned"),
    ]
    for step in shown["steps"]:
        assert INSTANT.fullmatch(step["due_at"])
        assert (step["fired_at"], step["lateness_ms"], step["attempts"]) == (None, None, [])


def fire_first_step(session: Session, publisher: RecordingPublisher, execution_id: str) -> None:
    """Move the execution two minutes into the past, where its first step is a minute late, and fire it."""
    where = {"id": execution_id}
    for statement in (
        "UPDATE executions SET anchor_at = anchor_at - interval '120 s' WHERE id = :id",
        "UPDATE steps SET planned_at = planned_at - interval '120 s', due_at = due_at - interval '120 s' "
        "WHERE execution_id = :id",
    ):
        session.execute(text(statement), where)
    session.commit()
    execution = session.scalars(select(Execution)).one()
    fire_step(session, Dispatcher(publisher), StepKey(execution.id, 1))


def test_a_fired_step_shows_its_lateness_and_its_attempts(
    ann: Person, flow: str, session: Session, publisher: RecordingPublisher
) -> None:
    execution = start(ann, flow)
    fire_first_step(session, publisher, execution["id"])
    shown = ann.get(f"/executions/{execution['id']}").json or {}
    fired, waiting, *planned = shown["steps"]
    assert (fired["status"], waiting["status"]) == ("fired", "waiting")
    assert 60_000 <= fired["lateness_ms"] < 90_000
    assert {step["status"] for step in planned} == {"planned"}
    [attempt] = fired["attempts"]
    assert (attempt["target"], attempt["attempt"], attempt["channel"]) == (1, 1, "email")
    assert (attempt["address"], attempt["status"]) == ("first@example.org", "scheduled")


def test_acknowledge_silences_and_can_be_repeated(ann: Person, flow: str) -> None:
    execution = start(ann, flow)
    answer = ann.post(f"/executions/{execution['id']}/acknowledge").json or {}
    assert (answer["status"], answer["changed"], answer["in_flight"]) == ("acknowledged", True, [])
    assert answer["acknowledged_by"] == str(ann.id)
    again = ann.post(f"/executions/{execution['id']}/acknowledge", {}).json or {}
    assert (again["status"], again["changed"]) == ("acknowledged", False)
    shown = ann.get(f"/executions/{execution['id']}").json or {}
    assert [step["status"] for step in shown["steps"]] == ["cancelled"]


def test_an_answer_lists_the_sends_that_it_came_too_late_for(
    ann: Person, flow: str, session: Session, publisher: RecordingPublisher
) -> None:
    execution = start(ann, flow)
    fire_first_step(session, publisher, execution["id"])
    session.execute(
        update(Attempt).values(status="sending", claim_number=1, lease_until=text("now() + interval '15 s'"))
    )
    session.commit()
    answer = ann.post(f"/executions/{execution['id']}/acknowledge").json or {}
    [sending] = answer["in_flight"]
    assert (sending["step"], sending["target"], sending["attempt"]) == (1, 1, 1)
    assert (sending["address"], sending["status"]) == ("first@example.org", "sending")


def test_an_answer_that_is_refused_says_what_the_state_is(ann: Person, flow: str) -> None:
    execution = start(ann, flow)
    assert (ann.post(f"/executions/{execution['id']}/resolve").json or {})["status"] == "resolved"
    problem = assert_problem(ann.post(f"/executions/{execution['id']}/acknowledge"), 409)
    assert problem["current"] == {"status": "resolved", "possible": ["resolve", "replay"]}


def test_the_timeline_tells_what_happened_in_order(ann: Person, flow: str) -> None:
    path = f"/executions/{start(ann, flow)['id']}"
    ann.post(f"{path}/acknowledge")
    ann.post(f"{path}/resolve")
    entries = (ann.get(f"{path}/timeline").json or {})["items"]
    assert entries[0]["event"] == "started"
    assert [entry["id"] for entry in entries] == sorted(entry["id"] for entry in entries)
    assert {entry["actor_id"] for entry in entries} == {str(ann.id)}
    assert all(INSTANT.fullmatch(entry["at"]) for entry in entries)


def test_a_viewer_of_one_team_is_listed_in_that_team_alone(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    vic = person(app, "vic")
    session.add(Membership(team_id=team, user_id=vic.id, role="viewer"))
    session.commit()
    ann.make("/teams", {"name": "Other"})
    assert [item["id"] for item in (vic.get("/teams").json or {})["items"]] == [team]
