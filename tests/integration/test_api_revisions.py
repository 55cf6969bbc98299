"""What a flow has said can be listed, read, compared and brought back."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from alertops.models import FlowRevision, Membership, User
from tests.integration.api_client import Person, a_node, assert_problem, person, row_counts
from tests.integration.editing import EditedFlow, edited_flow

NOTHING = {"added": [], "removed": [], "moved": [], "changed": []}


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def flow(ann: Person) -> EditedFlow:
    return edited_flow(ann, "a", "b", "c")


def said(shown: dict[str, Any]) -> dict[str, Any]:
    """Of a flow or revision, what it says."""
    return {part: shown[part] for part in ("name", "description", "repeat", "nodes")}


def test_a_revision_shows_what_the_flow_said_then(flow: EditedFlow) -> None:
    states = [flow.get()]
    states.append(flow.edit("PATCH", body={"name": "Nights", "description": "d", "repeat": 1}))
    states.append(flow.edit("DELETE", f"/nodes/{flow.ids()[1]}"))
    for number, state in enumerate(states, start=1):
        shown = flow.get(f"/revisions/{number}")
        assert said(shown) == said(state)
        assert (shown["revision"], shown["author_id"]) == (number, str(flow.ann.id))
        assert shown["created_at"].endswith("Z")


def test_revisions_are_listed_newest_first_in_pages(flow: EditedFlow) -> None:
    for number in range(4):
        flow.edit("PATCH", body={"name": f"Name {number}"})
    found: list[list[int]] = []
    cursor = ""
    while cursor is not None:
        page = flow.get(f"/revisions?limit=2{cursor and '&cursor=' + cursor}")
        found.append([item["revision"] for item in page["items"]])
        cursor = page["next_cursor"]
    assert found == [[5, 4], [3, 2], [1]]
    shown = flow.get("/revisions/3")
    item = flow.get("/revisions")["items"][2]
    assert item == {key: shown[key] for key in ("revision", "author_id", "created_at")}


@pytest.mark.parametrize("query", ["limit=0", "cursor=x", "cursor=LTE", "offset=1"])
def test_a_fault_in_the_query_of_the_list_is_named(flow: EditedFlow, query: str) -> None:
    assert_problem(flow.ann.get(f"{flow.path}/revisions?{query}"), 422)


@pytest.mark.parametrize("number", ["0", "2", "999999999", "9" * 5000, "-1", "x", "1.0", "%D9%A1"])
def test_a_revision_that_there_is_not_is_not_found(flow: EditedFlow, number: str) -> None:
    assert_problem(flow.ann.get(f"{flow.path}/revisions/{number}"), 404)
    assert_problem(flow.ann.get(f"{flow.path}/revisions/{number}/diff"), 404)
    assert_problem(flow.call("POST", f"/revisions/{number}/restore"), 404)


def test_a_diff_tells_what_was_added_removed_moved_and_changed(flow: EditedFlow) -> None:
    a, b, c = flow.get()["nodes"]
    flow.edit("PATCH", body={"name": "Nights", "repeat": 2})
    flow.edit("DELETE", f"/nodes/{b['id']}")
    flow.edit("PUT", "/nodes/order", {"node_ids": [c["id"], a["id"]]})
    flow.edit("PATCH", f"/nodes/{a['id']}", {"name": "A", "retry": {"max_attempts": 9}})
    new = flow.edit("POST", "/nodes", a_node("new", position=1))["nodes"][1]
    told = flow.get("/revisions/1/diff")
    revisions = (told["before"]["revision"], told["after"]["revision"])
    assert revisions == (1, 6)
    assert told["changes"] == [
        {"pointer": "/name", "before": "Database down", "after": "Nights"},
        {"pointer": "/repeat", "before": 0, "after": 2},
    ]
    changes = [
        {"pointer": "/name", "before": "a", "after": "A"},
        {"pointer": "/retry/max_attempts", "before": 3, "after": 9},
    ]
    [moved] = told["nodes"].pop("moved")
    assert moved in (
        {"id": c["id"], "name": "c", "before": 2, "after": 0},
        {"id": a["id"], "name": "A", "before": 0, "after": 2},
    )
    assert told["nodes"] == {
        "added": [{"position": 1, "node": new}],
        "removed": [{"position": 1, "node": b}],
        "changed": [{"id": a["id"], "name": "A", "changes": changes}],
    }


def test_a_diff_goes_between_any_two_revisions_in_either_direction(flow: EditedFlow) -> None:
    for name in ("Two", "Three"):
        flow.edit("PATCH", body={"name": name})
    there, back = flow.get("/revisions/1/diff?to=2"), flow.get("/revisions/2/diff?to=1")
    assert [(change["before"], change["after"]) for change in there["changes"]] == [("Database down", "Two")]
    assert [(change["before"], change["after"]) for change in back["changes"]] == [("Two", "Database down")]
    same = flow.get("/revisions/3/diff")
    assert (same["changes"], same["nodes"]) == ([], NOTHING)
    assert_problem(flow.ann.get(f"{flow.path}/revisions/1/diff?to=4"), 404)
    for wrong in ("0", "x", "10001", "-1"):
        assert_problem(flow.ann.get(f"{flow.path}/revisions/1/diff?to={wrong}"), 422)


def test_a_restored_revision_is_a_new_one_that_says_the_same(flow: EditedFlow) -> None:
    before = flow.get()
    flow.edit("DELETE", f"/nodes/{before['nodes'][0]['id']}")
    flow.edit("PUT", "/nodes/order", {"node_ids": flow.ids()[::-1]})
    flow.edit("PATCH", body={"name": "Worse", "description": "much", "repeat": 9})
    restored = flow.edit("POST", "/revisions/1/restore")
    assert said(restored) == said(before)
    assert restored["revision"] == 5
    assert said(flow.get()) == said(flow.get("/revisions/5")) == said(before)
    assert flow.get("/revisions/1/diff?to=5")["nodes"] == NOTHING
    assert flow.get("/revisions/4")["name"] == "Worse"


def test_what_is_restored_names_no_strangers(app: Flask, flow: EditedFlow, session: Session) -> None:
    bob = person(app, "bob")
    session.add(Membership(team_id=flow.get()["team_id"], user_id=bob.id, role="member"))
    session.commit()
    recipient = {"type": "user", "user_id": str(bob.id)}
    node = flow.edit("POST", "/nodes", a_node("bob", recipient=recipient))["nodes"][3]["id"]
    flow.edit("PATCH", body={"name": "With Bob"})
    session.execute(delete(Membership).where(Membership.user_id == bob.id))
    session.commit()
    # He is still there: going back to another revision with him brings nobody in.
    assert flow.edit("POST", "/revisions/2/restore")["nodes"][3]["id"] == node
    flow.edit("DELETE", f"/nodes/{node}")
    before = row_counts(session)
    problem = assert_problem(flow.call("POST", "/revisions/2/restore"), 409)
    assert problem["current"] == {"user_ids": [str(bob.id)]}
    assert row_counts(session) == before


def test_a_revision_outlives_the_account_of_its_author(
    app: Flask, flow: EditedFlow, session: Session
) -> None:
    bob = person(app, "bob")
    session.execute(update(FlowRevision).values(author_id=bob.id))
    session.execute(delete(User).where(User.id == bob.id))
    session.commit()
    assert flow.get("/revisions/1")["author_id"] == str(bob.id)


def test_after_the_last_revision_that_is_kept_there_are_no_edits(
    flow: EditedFlow, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    monkeypatch.setattr("alertops.services.flows.edit_flow.MAX_REVISIONS", 2)
    flow.edit("PATCH", body={"name": "Two"})
    before = row_counts(session)
    problem = assert_problem(flow.call("PATCH", body={"name": "Three"}), 409)
    assert "2 revisions" in problem["detail"]
    assert flow.call("PATCH", body={"name": "Two"}).status_code == 200
    assert row_counts(session) == before
