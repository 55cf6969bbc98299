"""Operations, preview and warnings over HTTP: what is asked for, what is answered, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.integration.api_client import Person, a_flow, a_node, assert_problem, person


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def team(ann: Person) -> str:
    return str(ann.make("/teams", {"name": "Operations"})["id"])


@pytest.fixture
def flow(ann: Person, team: str) -> dict[str, Any]:
    nodes = (a_node("first", delay_seconds=60), a_node("second", delay_seconds=600))
    return ann.make(f"/teams/{team}/flows", a_flow(*nodes))


@pytest.fixture
def execution(ann: Person, flow: dict[str, Any]) -> str:
    return str(ann.make(f"/flows/{flow['id']}/executions", {"summary": "disk full"})["id"])


def answer(ann: Person, execution: str, verb: str, body: Any = None) -> dict[str, Any]:
    answered = ann.post(f"/executions/{execution}/{verb}", body)
    assert answered.status_code in (200, 201, 202), answered.text
    return dict(answered.json or {})


def test_an_execution_is_taken_hold_of_from_beginning_to_end(ann: Person, execution: str, team: str) -> None:
    coming = (ann.get(f"/executions/{execution}").json or {})["next_step"]
    assert answer(ann, execution, "escalate", {"step": coming})["changed"]
    assert not answer(ann, execution, "escalate", {"step": coming})["changed"]
    assert answer(ann, execution, "snooze", {"for_seconds": 60, "reason": "known"})["status"] == "snoozed"
    assert answer(ann, execution, "unsnooze")["status"] == "running"
    assert answer(ann, execution, "reassign", {"user_id": str(ann.id)})["status"] == "running"
    note = answer(ann, execution, "notes", {"text": "on it"})
    assert (note["event"], note["detail"]) == ("note", {"text": "on it"})
    assert answer(ann, execution, "acknowledge", {"note": "mine"})["status"] == "acknowledged"
    assert answer(ann, execution, "cancel", {"reason": "a drill"})["status"] == "cancelled"
    replayed = answer(ann, execution, "replay")
    assert (replayed["replay_of"], replayed["status"]) == (execution, "running")
    assert answer(ann, execution, "replay")["id"] == replayed["id"]
    told = [entry["event"] for entry in (ann.get(f"/executions/{execution}/timeline").json or {})["items"]]
    assert [event for event in told if event != "course_changed"] == [
        "started",
        "step_brought_forward",
        "snoozed",
        "resumed",
        "note",
        "acknowledged",
        "cancelled",
        "replayed",
    ]


def test_a_rebase_is_told_first_and_done_for_what_was_told(
    ann: Person, flow: dict[str, Any], execution: str
) -> None:
    added = ann.call(
        "POST",
        f"/flows/{flow['id']}/nodes",
        {**a_node("third", delay_seconds=30), "position": 0},
        headers={"If-Match": "*"},
    )
    assert added.status_code == 201
    told = answer(ann, execution, "rebase")
    assert (told["applied"], told["from_revision"], told["to_revision"]) == (False, 1, 2)
    names = {when: [step["node_name"] for step in told[when]] for when in ("before", "after")}
    assert names == {"before": ["first", "second"], "after": ["third", "first", "second"]}
    assert_problem(ann.post(f"/executions/{execution}/rebase", {"apply": True}), 422)
    assert_problem(ann.post(f"/executions/{execution}/rebase", {"apply": True, "revision": 1}), 409)
    done = answer(ann, execution, "rebase", {"apply": True, "revision": 2})
    assert (done["applied"], done["changed"], done["execution"]["revision"]) == (True, True, 2)


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("snooze", {}, "/until"),
        ("snooze", {"until": "2030-01-01T00:00:00Z", "for_seconds": 1}, "/until"),
        ("snooze", {"until": "2020-01-01T00:00:00Z"}, "/until"),
        ("snooze", {"for_seconds": "60"}, "/for_seconds"),
        ("snooze", {"for_seconds": 2_592_001}, "/for_seconds"),
        ("escalate", {}, "/step"),
        ("reassign", {}, "/flow_id"),
        ("reassign", {"flow_id": "6f1c1c1e-0000-4000-8000-000000000000"}, "/flow_id"),
        ("reassign", {"user_id": "6f1c1c1e-0000-4000-8000-000000000000"}, "/user_id"),
        ("notes", {"text": ""}, "/text"),
        ("notes", {"text": "x" * 2001}, "/text"),
        ("replay", {"revision": "newest"}, "/revision"),
        ("rebase", {"apply": "yes"}, "/apply"),
    ],
)
def test_what_cannot_be_meant_is_named(
    ann: Person, execution: str, verb: str, body: Any, pointer: str
) -> None:
    before = ann.get(f"/executions/{execution}").json
    problem = assert_problem(ann.post(f"/executions/{execution}/{verb}", body), 422)
    assert pointer in {error["pointer"] for error in problem["errors"]}
    assert ann.get(f"/executions/{execution}").json == before


def test_many_are_answered_by_what_they_have_in_common(ann: Person, flow: dict[str, Any], team: str) -> None:
    raised = [
        ann.make(f"/flows/{flow['id']}/executions", {"summary": "disk", "severity": severity})["id"]
        for severity in ("info", "info", "critical")
    ]
    answered = ann.post(f"/teams/{team}/executions/acknowledge", {"severity": "info"}).json or {}
    assert (sorted(answered["changed"]), answered["more"]) == (sorted(raised[:2]), False)
    again = ann.post(f"/teams/{team}/executions/acknowledge", {"severity": "info"}).json or {}
    assert (again["changed"], again["unchanged"]) == ([], [])
    ended = ann.post(f"/teams/{team}/executions/resolve", {"ids": raised, "note": "over"}).json or {}
    assert sorted(ended["changed"]) == sorted(raised)
    assert_problem(ann.post(f"/teams/{team}/executions/resolve", {"note": "all"}), 422)
    problem = assert_problem(ann.post(f"/teams/{team}/executions/resolve", {"ids": [raised[0], team]}), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/ids/1"]


def test_a_preview_tells_what_would_happen(ann: Person, team: str, flow: dict[str, Any]) -> None:
    start = "2030-01-01T00:00:00Z"
    shown = ann.get(f"/flows/{flow['id']}/preview?start={start}&fail=1").json or {}
    assert (shown["revision_number"], shown["status"], shown["truncated"]) == (1, "exhausted", False)
    told = [(entry["offset_seconds"], entry["event"]) for entry in shown["timeline"]]
    assert told[0] == (0, "started")
    # Tried three times, after 0, 10 and 20 s; then nobody waits for an answer from nobody.
    assert [offset for offset, event in told if event == "attempt_failed"] == [60, 70, 90]
    assert (90, "step_brought_forward") in told
    silenced = ann.get(f"/flows/{flow['id']}/preview?start={start}&acknowledge_at=2030-01-01T00:00:30Z").json
    assert [entry["event"] for entry in (silenced or {})["timeline"]] == ["started", "acknowledged"]
    unsaved = ann.post(f"/teams/{team}/flows/preview", {**a_flow(a_node()), "start": start})
    assert unsaved.status_code == 200
    assert (unsaved.json or {})["revision_number"] is None


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("fail=3", "/fail"),
        ("fail=x", "/fail"),
        ("unknown=0", "/unknown"),
        ("start=tomorrow", "/start"),
        ("start=2030-01-01T00:00:00Z&acknowledge_at=2029-01-01T00:00:00Z", "/acknowledge_at"),
    ],
)
def test_a_question_that_makes_no_sense_is_named(
    ann: Person, flow: dict[str, Any], query: str, pointer: str
) -> None:
    problem = assert_problem(ann.get(f"/flows/{flow['id']}/preview?{query}"), 422)
    named = [error.get("pointer") or f"/{error.get('parameter')}" for error in problem["errors"]]
    assert pointer in named


def test_warnings_come_with_the_flow_that_is_written(ann: Person, team: str) -> None:
    left = {"type": "role", "role": "viewer"}
    odd = a_flow(a_node("first", delay_seconds=60), a_node("second", delay_seconds=5, recipient=left))
    written = ann.make(f"/teams/{team}/flows", odd)
    found = {(warning["code"], warning["pointer"]) for warning in written["warnings"]}
    assert ("retries_outlast_delay", "/nodes/0/retry") in found
    assert ("reaches_nobody", "/nodes/1/recipient") in found
    assert (ann.get(f"/flows/{written['id']}").json or {})["warnings"] == written["warnings"]
