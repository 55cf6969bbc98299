"""A flow's whole definition is put in place of another one, in one change."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import delete
from sqlalchemy.orm import Session

from alertops.models import Membership
from tests.integration.api_client import Person, a_flow, a_node, assert_problem, person, row_counts
from tests.integration.editing import EditedFlow, edited_flow, frozen


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def flow(ann: Person) -> EditedFlow:
    return edited_flow(ann, "a", "b", "c")


def test_all_of_it_is_replaced_in_one_revision(flow: EditedFlow, session: Session) -> None:
    a, b, c = flow.get()["nodes"]
    wanted = a_flow({**c, "delay_seconds": 5}, a_node("new"), a, name="Nights", description="x", repeat=2)
    after = flow.edit("PUT", body=wanted)
    assert flow.get() == after
    assert flow.names() == "c new a"
    assert (after["name"], after["description"], after["repeat"]) == ("Nights", "x", 2)
    assert after["nodes"][0] == {**c, "delay_seconds": 5}
    assert after["nodes"][2] == a
    assert after["nodes"][1]["id"] not in {a["id"], b["id"], c["id"]}
    assert [revision.number for revision in frozen(session)] == [1, 2]


def test_what_is_not_named_is_as_in_a_new_flow(flow: EditedFlow) -> None:
    first = flow.get()["nodes"][0]
    flow.edit("PATCH", body={"repeat": 3, "description": "x"})
    flow.edit("PATCH", f"/nodes/{first['id']}", {"retry": {"max_attempts": 9}, "on_failure": "wait"})
    usual = flow.edit("PUT", body=a_flow({"id": first["id"], **a_node("a")}))
    assert (usual["repeat"], usual["description"]) == (0, "")
    assert usual["nodes"] == [first]


def test_the_same_again_makes_no_revision(flow: EditedFlow, session: Session) -> None:
    same = {name: flow.get()[name] for name in ("name", "description", "repeat", "nodes")}
    assert flow.edit("PUT", body=same)["revision"] == 1
    assert len(frozen(session)) == 1


def test_a_stale_editor_is_refused(flow: EditedFlow) -> None:
    flow.edit("PATCH", body={"name": "Nights"})
    assert_problem(flow.call("PUT", body=a_flow(), seen='"1"'), 412)
    assert_problem(flow.ann.call("PUT", flow.path, a_flow()), 428)
    assert flow.get()["name"] == "Nights"


def test_ids_that_are_not_of_the_flow_are_refused(flow: EditedFlow, ann: Person, session: Session) -> None:
    own = flow.ids()[0]
    foreign = edited_flow(ann, "other").ids()[0]
    before = row_counts(session)
    nodes = [{**a_node(), "id": id_} for id_ in (own, foreign, str(uuid4()), own)]
    problem = assert_problem(flow.call("PUT", body=a_flow(*nodes)), 422)
    pointers = [error["pointer"] for error in problem["errors"]]
    assert pointers == [f"/nodes/{position}/id" for position in range(4)]
    assert row_counts(session) == before


def test_a_node_that_stays_as_it_was_may_tell_somebody_who_has_left(
    app: Flask, flow: EditedFlow, session: Session
) -> None:
    bob = person(app, "bob")
    session.add(Membership(team_id=flow.get()["team_id"], user_id=bob.id, role="member"))
    session.commit()
    his = flow.edit("POST", "/nodes", a_node("bob", recipient={"type": "user", "user_id": str(bob.id)}))
    session.execute(delete(Membership).where(Membership.user_id == bob.id))
    session.commit()
    stays = his["nodes"][3]
    assert flow.edit("PUT", body=a_flow({**stays, "delay_seconds": 7}))["nodes"][0]["delay_seconds"] == 7
    new = {name: value for name, value in stays.items() if name != "id"}
    problem = assert_problem(flow.call("PUT", body=a_flow(stays, new)), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/nodes/1/recipient/user_id"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x"}, "/nodes"),
        ({"name": "x", "nodes": []}, "/nodes"),
        ({"nodes": [a_node()]}, "/name"),
        (a_flow(a_node(id="x")), "/nodes/0/id"),
        (a_flow(a_node(id=None)), "/nodes/0/id"),
        (a_flow(a_node(position=0)), "/nodes/0/position"),
        (a_flow(revision=1), "/revision"),
    ],
)
def test_a_fault_is_named_and_nothing_is_changed(flow: EditedFlow, body: Any, pointer: str) -> None:
    before = flow.get()
    problem = assert_problem(flow.call("PUT", body=body), 422)
    assert pointer in {error["pointer"] for error in problem["errors"]}
    assert flow.get() == before
