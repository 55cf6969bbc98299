"""Nobody overwrites what they have not seen: every change says which version it was made for."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.integration.api_client import Person, a_node, assert_problem, person, row_counts
from tests.integration.editing import EditedFlow, edited_flow


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def flow(ann: Person) -> EditedFlow:
    """A flow in its second revision."""
    flow = edited_flow(ann, "a", "b")
    flow.edit("PATCH", body={"name": "Second"})
    return flow


def changes(flow: EditedFlow) -> list[tuple[str, str, Any]]:
    """One of every kind."""
    node = flow.ids()[0]
    return [
        ("PATCH", "", {"name": "Third"}),
        ("PUT", "/nodes/order", {"node_ids": flow.ids()[::-1]}),
        ("POST", "/nodes", a_node("new")),
        ("PATCH", f"/nodes/{node}", {"name": "changed"}),
        ("DELETE", f"/nodes/{node}", None),
        ("POST", "/revisions/1/restore", None),
        ("DELETE", "", None),
    ]


def test_a_change_without_a_condition_is_refused(flow: EditedFlow, session: Session) -> None:
    before, shown = row_counts(session), flow.get()
    for method, path, body in [*changes(flow), ("POST", "/unarchive", None)]:
        for headers in ({}, {"If-Match": ""}, {"If-Match": " "}):
            problem = assert_problem(flow.ann.call(method, flow.path + path, body, headers=headers), 428)
            assert "If-Match" in problem["detail"]
    assert (row_counts(session), flow.get()) == (before, shown)


def test_a_change_of_another_version_is_refused_and_told_the_present_one(
    flow: EditedFlow, session: Session
) -> None:
    before, shown = row_counts(session), flow.get()
    for change in changes(flow):
        answer = flow.call(*change, seen='"1"')
        assert assert_problem(answer, 412)["current"] == {"etag": '"2"'}
        assert answer.headers["ETag"] == '"2"'
    assert (row_counts(session), flow.get()) == (before, shown)


def test_a_change_of_the_version_that_was_seen_is_done_once(flow: EditedFlow) -> None:
    """Sent twice, as after a lost answer, it is not done twice."""
    for number, change in enumerate(changes(flow)[:2], start=3):
        seen = flow.etag()
        answer = flow.call(*change, seen=seen)
        assert answer.status_code in (200, 201)
        assert answer.headers["ETag"] == flow.etag() == f'"{number}"'
        assert answer.headers["Content-Location"] == f"/api/v1/flows/{flow.id}"
        assert_problem(flow.call(*change, seen=seen), 412)
        assert flow.get()["revision"] == number


@pytest.mark.parametrize(
    "header",
    ['"2"', "*", ' "2" ', '"1", "2"', '"2","3"', ', "2",', 'W/"1", "2"', '"a,b", "2"', '"", "2"'],
)
def test_a_condition_that_holds(flow: EditedFlow, header: str) -> None:
    assert flow.call("PATCH", body={"name": "Third"}, seen=header).status_code == 200


@pytest.mark.parametrize(
    "header", ['"1"', '"3"', 'W/"2"', '"1", W/"2"', '"02"', '"2-archived"', '""', '"1,2"', '"*"']
)
def test_a_condition_that_does_not_hold(flow: EditedFlow, header: str) -> None:
    assert_problem(flow.call("PATCH", body={"name": "Third"}, seen=header), 412)
    assert flow.get()["name"] == "Second"


@pytest.mark.parametrize("header", ["2", '"2', '2"', '*, "2"', '"2" "3"', "w/2", 'w/"2"', "**", '"2"; x'])
def test_what_is_no_condition_is_a_bad_request(flow: EditedFlow, header: str) -> None:
    assert_problem(flow.call("PATCH", body={"name": "Third"}, seen=header), 400)
    assert flow.get()["name"] == "Second"


def test_what_is_not_there_is_not_found_whatever_was_seen(flow: EditedFlow) -> None:
    """As RFC 9110 asks, 13.2.1: a condition is looked at only where the request would succeed without."""
    node = flow.ids()[0]
    flow.edit("DELETE", f"/nodes/{node}")
    assert_problem(flow.call("PATCH", f"/nodes/{node}", {"name": "x"}, seen='"1"'), 404)
    assert_problem(flow.call("DELETE", f"/nodes/{node}", seen='"1"'), 404)
    assert_problem(flow.call("POST", "/revisions/99/restore", seen='"1"'), 404)


def test_every_version_that_looks_different_has_another_etag(flow: EditedFlow) -> None:
    seen: dict[str, Any] = {}
    for change in [*changes(flow), ("POST", "/unarchive", None)]:
        answer = flow.call(*change)
        assert answer.status_code in (200, 201)
        assert seen.setdefault(answer.headers["ETag"], answer.json) == answer.json
        assert flow.ann.get(flow.path).headers["ETag"] == answer.headers["ETag"]
        assert flow.get() == answer.json
    assert list(seen) == ['"3"', '"4"', '"5"', '"6"', '"7"', '"8"', '"8-archived"']
