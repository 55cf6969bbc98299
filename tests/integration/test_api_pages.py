"""Lists: every item once, in order, whatever is added meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from alertops.models import Execution
from tests.integration.api_client import Person, a_flow, person


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def team(ann: Person) -> str:
    return str(ann.make("/teams", {"name": "Operations"})["id"])


@pytest.fixture
def flow(ann: Person, team: str) -> str:
    return str(ann.make(f"/teams/{team}/flows", a_flow())["id"])


def pages(ann: Person, path: str, limit: int, **query: str) -> list[list[dict[str, Any]]]:
    """The items of every page."""
    found: list[list[dict[str, Any]]] = []
    cursor: dict[str, str] = {}
    while True:
        page = ann.get(path, query_string={"limit": str(limit), **query, **cursor}).json or {}
        found.append(page["items"])
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def ids(found: list[list[dict[str, Any]]]) -> list[str]:
    return [item["id"] for page in found for item in page]


def start(ann: Person, flow: str, count: int) -> list[str]:
    path = f"/flows/{flow}/executions"
    return [ann.make(path, {"summary": f"alert {number}"})["id"] for number in range(count)]


def test_executions_come_newest_first_each_once(ann: Person, team: str, flow: str) -> None:
    started = start(ann, flow, 7)
    found = pages(ann, f"/teams/{team}/executions", limit=3)
    assert [len(page) for page in found] == [3, 3, 1]
    assert ids(found) == started[::-1]


def test_a_last_page_that_is_full_is_the_last(ann: Person, team: str, flow: str) -> None:
    start(ann, flow, 4)
    assert [len(page) for page in pages(ann, f"/teams/{team}/executions", limit=2)] == [2, 2]


def test_executions_of_the_same_instant_come_each_once(
    ann: Person, team: str, flow: str, session: Session
) -> None:
    started = start(ann, flow, 5)
    session.execute(update(Execution).values(created_at="2030-01-01T00:00:00.123456Z"))
    session.commit()
    found = ids(pages(ann, f"/teams/{team}/executions", limit=2))
    assert found == sorted(started, reverse=True)


def test_what_is_added_meanwhile_neither_repeats_nor_hides_anything(
    ann: Person, team: str, flow: str
) -> None:
    started = start(ann, flow, 4)
    path = f"/teams/{team}/executions"
    first = ann.get(path, query_string={"limit": "2"}).json or {}
    start(ann, flow, 2)
    second = ann.get(path, query_string={"limit": "2", "cursor": first["next_cursor"]}).json or {}
    assert ids([first["items"], second["items"]]) == started[::-1]


def test_executions_can_be_listed_by_status(ann: Person, team: str, flow: str) -> None:
    started = start(ann, flow, 5)
    for execution in started[:3]:
        ann.post(f"/executions/{execution}/acknowledge")
    path = f"/teams/{team}/executions"
    assert ids(pages(ann, path, limit=2, status="acknowledged")) == started[2::-1]
    assert ids(pages(ann, path, limit=2, status="running")) == started[:2:-1]
    assert ids(pages(ann, path, limit=2, status="cancelled")) == []


def test_teams_and_flows_are_paged_too(ann: Person, team: str, flow: str) -> None:
    teams = [team] + [ann.make("/teams", {"name": f"team {number}"})["id"] for number in range(2)]
    assert ids(pages(ann, "/teams", limit=2)) == teams[::-1]
    flows = [flow] + [ann.make(f"/teams/{team}/flows", a_flow())["id"] for _ in range(2)]
    assert ids(pages(ann, f"/teams/{team}/flows", limit=2)) == flows[::-1]


def test_a_timeline_is_paged_oldest_first(ann: Person, flow: str) -> None:
    [execution] = start(ann, flow, 1)
    for answer in ("acknowledge", "resolve"):
        ann.post(f"/executions/{execution}/{answer}")
    whole = ann.get(f"/executions/{execution}/timeline").json or {}
    found = pages(ann, f"/executions/{execution}/timeline", limit=1)
    assert [entry for page in found for entry in page] == whole["items"]
    assert len(found) >= 3


def test_fifty_items_are_a_page_by_default(ann: Person) -> None:
    for number in range(51):
        ann.make("/teams", {"name": f"team {number}"})
    page = ann.get("/teams").json or {}
    assert len(page["items"]) == 50
    assert page["next_cursor"]
