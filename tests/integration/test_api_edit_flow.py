"""A flow is edited over HTTP: what was asked for is done, frozen, and nothing else."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from alertops.escalation.flow import MAX_NODES
from alertops.models import Membership
from tests.integration.api_client import Person, a_node, assert_problem, person, row_counts
from tests.integration.editing import EditedFlow, edited_flow, frozen


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def flow(ann: Person) -> EditedFlow:
    return edited_flow(ann, "a", "b", "c")


def test_a_flow_is_renamed_and_repeats_more_often(flow: EditedFlow) -> None:
    before = flow.get()
    after = flow.edit("PATCH", body={"name": "Nights", "repeat": 2})
    assert flow.get() == after
    updated = {"name": "Nights", "repeat": 2, "revision": 2, "updated_at": after["updated_at"]}
    assert after == {**before, **updated}
    assert after["updated_at"] > before["updated_at"]


def test_a_node_is_added_at_the_end_or_where_it_is_said(flow: EditedFlow) -> None:
    flow.edit("POST", "/nodes", a_node("last"))
    flow.edit("POST", "/nodes", a_node("first", position=0))
    flow.edit("POST", "/nodes", a_node("between", position=2))
    assert flow.names() == "first a between b c last"


def test_an_added_node_is_where_its_location_says(flow: EditedFlow) -> None:
    added = flow.call("POST", "/nodes", a_node("new", position=1))
    shown = flow.ann.get(added.headers["Location"])
    assert added.status_code == 201
    assert shown.json == (added.json or {})["nodes"][1]
    assert shown.headers["ETag"] == added.headers["ETag"] == '"2"'


def test_of_a_node_only_what_is_named_is_changed(flow: EditedFlow) -> None:
    a, b, c = flow.get()["nodes"]
    mail = {"type": "email", "email": "night@example.org"}
    changes = {"recipient": mail, "retry": {"max_attempts": 9}, "on_unknown": "hold"}
    after = flow.edit("PATCH", f"/nodes/{b['id']}", changes)
    changed = {**b, "recipient": mail, "retry": {**b["retry"], "max_attempts": 9}, "on_unknown": "hold"}
    assert after["nodes"] == [a, changed, c]
    assert flow.get() == after


def test_a_node_is_removed_and_the_others_move_up(flow: EditedFlow) -> None:
    a, b, c = flow.get()["nodes"]
    assert flow.edit("DELETE", f"/nodes/{b['id']}")["nodes"] == [a, c]
    assert flow.get()["nodes"] == [a, c]
    assert_problem(flow.ann.get(f"{flow.path}/nodes/{b['id']}"), 404)


def test_nodes_are_reordered_and_stay_themselves(flow: EditedFlow) -> None:
    a, b, c = flow.get()["nodes"]
    after = flow.edit("PUT", "/nodes/order", {"node_ids": [c["id"], a["id"], b["id"]]})
    assert after["nodes"] == [c, a, b]
    assert flow.get()["nodes"] == [c, a, b]


def test_every_edit_is_frozen_with_its_author_in_the_order_of_time(
    app: Flask, flow: EditedFlow, session: Session
) -> None:
    bob = person(app, "bob")
    session.add(Membership(team_id=flow.get()["team_id"], user_id=bob.id, role="member"))
    session.commit()
    flow.edit("PATCH", body={"name": "Nights"})
    EditedFlow(bob, flow.id).edit("DELETE", f"/nodes/{flow.ids()[0]}")
    flow.edit("PUT", "/nodes/order", {"node_ids": flow.ids()[::-1]})
    revisions = frozen(session)
    assert [revision.number for revision in revisions] == [1, 2, 3, 4]
    assert [revision.author_id for revision in revisions] == [flow.ann.id, flow.ann.id, bob.id, flow.ann.id]
    times = [revision.created_at for revision in revisions]
    assert times == sorted(set(times))
    shown = flow.get()
    parts = (
        "name",
        "description",
        "repeat",
        "ack_timeout_seconds",
        "resolve_after_seconds",
        "group_by",
        "group_window_seconds",
        "nodes",
    )
    assert revisions[-1].definition == {part: shown[part] for part in parts}
    assert [node["name"] for node in revisions[0].definition["nodes"]] == ["a", "b", "c"]


def edits_of_nothing(flow: EditedFlow) -> list[tuple[str, str, Any]]:
    shown = flow.get()
    node = shown["nodes"][1]
    known = {key: node[key] for key in node if key != "id"}
    return [
        ("PATCH", "", {}),
        ("PATCH", "", {"name": shown["name"], "repeat": 0, "description": ""}),
        ("PATCH", f"/nodes/{node['id']}", {}),
        ("PATCH", f"/nodes/{node['id']}", {"retry": {}}),
        ("PATCH", f"/nodes/{node['id']}", known),
        ("PUT", "/nodes/order", {"node_ids": flow.ids()}),
        ("POST", "/revisions/1/restore", None),
        ("POST", "/unarchive", None),
    ]


def test_an_edit_that_changes_nothing_makes_no_revision(flow: EditedFlow, session: Session) -> None:
    before, shown = row_counts(session), flow.get()
    for edit in edits_of_nothing(flow):
        answer = flow.call(*edit)
        assert (answer.status_code, answer.json, answer.headers["ETag"]) == (200, shown, '"1"'), edit
    assert row_counts(session) == before


def test_a_wrong_order_is_refused_with_what_is_missing_unknown_and_repeated(
    flow: EditedFlow, session: Session
) -> None:
    a, b, c = flow.ids()
    unknown = str(uuid4())
    before = row_counts(session)
    problem = assert_problem(flow.call("PUT", "/nodes/order", {"node_ids": [b, unknown, b]}), 422)
    assert problem["errors"] == [
        {"pointer": "/node_ids", "detail": f"Missing: {a}, {c}."},
        {"pointer": "/node_ids/1", "detail": f"Unknown: the flow has no node {unknown}."},
        {"pointer": "/node_ids/2", "detail": f"Repeated: {b}."},
    ]
    assert flow.ids() == [a, b, c]
    assert row_counts(session) == before


def test_a_node_of_another_flow_is_no_node_of_this_one(flow: EditedFlow) -> None:
    team = flow.get()["team_id"]
    other = flow.ann.make(f"/teams/{team}/flows", {"name": "Other", "nodes": [a_node("x"), a_node("y")]})
    foreign = other["nodes"][0]["id"]
    assert_problem(flow.ann.get(f"{flow.path}/nodes/{foreign}"), 404)
    assert_problem(flow.call("PATCH", f"/nodes/{foreign}", {"name": "mine"}), 404)
    assert_problem(flow.call("DELETE", f"/nodes/{foreign}"), 404)
    order = {"node_ids": [*flow.ids()[:2], foreign]}
    assert_problem(flow.call("PUT", "/nodes/order", order), 422)
    assert flow.ann.get(f"/flows/{other['id']}").json == other


def test_the_last_node_stays(ann: Person) -> None:
    flow = edited_flow(ann, "only")
    problem = assert_problem(flow.call("DELETE", f"/nodes/{flow.ids()[0]}"), 409)
    assert "at least one" in problem["detail"]
    assert problem["current"] == {"nodes": 1}
    assert flow.names() == "only"


def test_a_flow_that_is_full_takes_no_more_nodes(ann: Person) -> None:
    flow = edited_flow(ann, *(f"n{number}" for number in range(MAX_NODES)))
    problem = assert_problem(flow.call("POST", "/nodes", a_node("more")), 409)
    assert problem["current"] == {"nodes": MAX_NODES}
    flow.edit("DELETE", f"/nodes/{flow.ids()[0]}")
    flow.edit("POST", "/nodes", a_node("more"))


def test_only_members_of_the_team_become_recipients(app: Flask, flow: EditedFlow) -> None:
    stranger = {"type": "user", "user_id": str(person(app, "stranger").id)}
    for edit in (
        ("POST", "/nodes", a_node("x", recipient=stranger)),
        ("PATCH", f"/nodes/{flow.ids()[0]}", {"recipient": stranger}),
    ):
        problem = assert_problem(flow.call(*edit), 422)
        assert [error["pointer"] for error in problem["errors"]] == ["/recipient/user_id"]
    member = {"type": "user", "user_id": str(flow.ann.id)}
    assert flow.edit("POST", "/nodes", a_node("x", recipient=member))["nodes"][3]["recipient"] == member


FAULTS: list[tuple[str, str, Any, str]] = [
    ("PATCH", "", {"nodes": []}, "/nodes"),
    ("PATCH", "", {"name": None}, "/name"),
    ("PATCH", "", {"name": " "}, "/name"),
    ("PATCH", "", {"description": "x" * 2001}, "/description"),
    ("PATCH", "", {"repeat": 10}, "/repeat"),
    ("PATCH", "", {"ack_timeout_seconds": 59}, "/ack_timeout_seconds"),
    ("PATCH", "", {"resolve_after_seconds": 7_776_001}, "/resolve_after_seconds"),
    ("PATCH", "", {"group_by": ["dedup_key"]}, "/group_by/0"),
    ("PATCH", "", {"group_by": ["severity", "severity"]}, "/group_by/1"),
    ("PATCH", "", {"group_by": ["labels."]}, "/group_by/0"),
    ("PATCH", "", {"group_by": [f"labels.l{n}" for n in range(11)]}, "/group_by"),
    ("PATCH", "", {"group_by": None}, "/group_by"),
    ("PATCH", "", {"group_window_seconds": 9}, "/group_window_seconds"),
    ("PATCH", "", {"group_window_seconds": 86_401}, "/group_window_seconds"),
    ("PATCH", "/nodes/{node}", {"retry": {"budget_seconds": 0}}, "/retry/budget_seconds"),
    ("PATCH", "", {"archived_at": None}, "/archived_at"),
    ("PATCH", "", [], ""),
    ("POST", "/nodes", {"name": "x", "delay_seconds": 5}, "/recipient"),
    ("POST", "/nodes", a_node(position=None), "/position"),
    ("POST", "/nodes", a_node(position=-1), "/position"),
    ("POST", "/nodes", a_node(position=4), "/position"),
    ("POST", "/nodes", a_node(position=50), "/position"),
    ("POST", "/nodes", a_node(position="0"), "/position"),
    ("POST", "/nodes", a_node(id=str(uuid4())), "/id"),
    ("PATCH", "/nodes/{node}", {"id": str(uuid4())}, "/id"),
    ("PATCH", "/nodes/{node}", {"position": 1}, "/position"),
    ("PATCH", "/nodes/{node}", {"name": ""}, "/name"),
    ("PATCH", "/nodes/{node}", {"delay_seconds": -1}, "/delay_seconds"),
    ("PATCH", "/nodes/{node}", {"delay_seconds": None}, "/delay_seconds"),
    ("PATCH", "/nodes/{node}", {"retry": None}, "/retry"),
    ("PATCH", "/nodes/{node}", {"retry": {"max_attempts": 0}}, "/retry/max_attempts"),
    ("PATCH", "/nodes/{node}", {"retry": {"jitter": 1.1}}, "/retry/jitter"),
    ("PATCH", "/nodes/{node}", {"recipient": {"type": "email"}}, "/recipient/email"),
    ("PATCH", "/nodes/{node}", {"recipient": {"email": "x@example.org"}}, "/recipient/type"),
    ("PATCH", "/nodes/{node}", {"on_failure": "explode"}, "/on_failure"),
    ("PUT", "/nodes/order", {}, "/node_ids"),
    ("PUT", "/nodes/order", {"node_ids": []}, "/node_ids"),
    ("PUT", "/nodes/order", {"node_ids": [1]}, "/node_ids/0"),
    ("PUT", "/nodes/order", {"node_ids": ["x"]}, "/node_ids/0"),
    ("PUT", "/nodes/order", {"node_ids": [str(uuid4())] * 51}, "/node_ids"),
    ("POST", "/revisions/1/restore", {"to": 1}, "/to"),
    ("POST", "/unarchive", {"now": True}, "/now"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_nothing_is_changed(
    flow: EditedFlow, session: Session, fault: tuple[str, str, Any, str]
) -> None:
    method, path, body, pointer = fault
    before, shown = row_counts(session), flow.get()
    answer = flow.call(method, path.format(node=flow.ids()[0]), body)
    assert pointer in {error["pointer"] for error in assert_problem(answer, 422)["errors"]}
    assert (row_counts(session), flow.get()) == (before, shown)
