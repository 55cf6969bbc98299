"""The audit log: what is in it, how it is read, and that nobody rewrites it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alertops.models import AuditEntry
from alertops.services.access.audit_log import EXPORT_PAGE
from tests.integration.api_client import a_flow, assert_problem
from tests.integration.crew import Crew, audited, crew


@pytest.fixture
def team(app: Flask, session: Session) -> Crew:
    return crew(app, session)


def fill(session: Session, team: Crew, count: int) -> None:
    """So many entries, one a second, the newest now."""
    entry = {
        "team_id": team.team,
        "actor_kind": "user",
        "actor_id": team.owner.id,
        "action": "flow.edited",
        "subject": "flow",
        "subject_id": team.team,
    }
    at = func.now()
    rows = [{**entry, "before": {"revision": n}} for n in range(count)]
    session.execute(insert(AuditEntry).values(at=at), rows)
    session.commit()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor_id = gen_random_uuid()",
        "UPDATE audit_log SET action = action WHERE false",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ],
)
def test_the_log_is_append_only_for_a_superuser_too(team: Crew, session: Session, statement: str) -> None:
    assert session.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
    before = audited(session)
    assert before
    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(statement))
    assert audited(session) == before


def test_each_change_of_a_flow_is_told_by_revisions_and_no_change_is_not(
    team: Crew, session: Session
) -> None:
    flow = team.member.make(f"{team.path}/flows", a_flow(description="not for the log"))
    path = f"/flows/{flow['id']}"
    anyway = {"headers": {"If-Match": "*"}}
    for change in ({"repeat": 1}, {"repeat": 1}):
        assert team.member.call("PATCH", path, change, **anyway).status_code == 200
    assert team.member.post(f"{path}/revisions/1/restore", **anyway).status_code == 200
    for _ in range(2):
        assert team.member.call("DELETE", path, **anyway).status_code == 200
    for _ in range(2):
        assert team.member.post(f"{path}/unarchive", **anyway).status_code == 200
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id).offset(1)).all()
    assert {entry.actor_id for entry in entries} == {team.member.id}
    assert [(entry.action, entry.before, entry.after) for entry in entries] == [
        ("flow.created", None, {"revision": 1}),
        ("flow.edited", {"revision": 1}, {"revision": 2}),
        ("flow.restored", {"revision": 2}, {"revision": 3}),
        ("flow.archived", {"revision": 3, "archived": False}, {"revision": 3, "archived": True}),
        ("flow.unarchived", {"revision": 3, "archived": True}, {"revision": 3, "archived": False}),
    ]


def test_what_was_refused_is_not_in_the_log(team: Crew, session: Session) -> None:
    flow = team.member.make(f"{team.path}/flows", a_flow())["id"]
    stale = team.member.call("PATCH", f"/flows/{flow}", {"repeat": 1}, headers={"If-Match": '"7"'})
    assert_problem(stale, 412)
    assert audited(session) == ["team.created", "flow.created"]


def get(team: Crew, query: str = "") -> dict[str, Any]:
    answer = team.admin.get(f"{team.path}/audit-log{query}")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json or {}
    return page


def test_the_log_is_read_newest_first_page_by_page(team: Crew) -> None:
    for name in ("one", "two", "three"):
        team.admin.call("PATCH", team.path, {"name": name})
    first = get(team, "?limit=3")
    rest = get(team, f"?limit=3&cursor={first['next_cursor']}")
    entries = first["items"] + rest["items"]
    assert [(entry["after"] or {})["name"] for entry in entries] == ["three", "two", "one", "Operations"]
    assert rest["next_cursor"] is None
    assert entries[0].keys() == {
        "id",
        "at",
        "actor_kind",
        "actor_id",
        "address",
        "action",
        "subject",
        "subject_id",
        "before",
        "after",
    }


def test_the_log_is_filtered_by_action_actor_and_time(team: Crew) -> None:
    team.admin.call("PATCH", team.path, {"name": "one"})
    team.owner.call("PATCH", team.path, {"name": "two"})
    newest = get(team)["items"][0]
    assert len(get(team, "?action=team.renamed")["items"]) == 2
    assert len(get(team, f"?actor_id={team.owner.id}")["items"]) == 2
    assert len(get(team, f"?actor_id={team.owner.id}&action=team.renamed")["items"]) == 1
    assert [entry["id"] for entry in get(team, f"?since={newest['at']}")["items"]] == [newest["id"]]


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=2026-01-31", "action=*", "actor_id=1", "cursor=x"]
)
def test_a_filter_that_means_nothing_is_refused(team: Crew, query: str) -> None:
    problem = assert_problem(team.admin.get(f"{team.path}/audit-log?{query}"), 422)
    assert problem["errors"][0]["parameter"] == query.partition("=")[0]


def test_the_whole_log_is_exported_oldest_first_a_page_in_memory_at_a_time(
    team: Crew, session: Session, app: Flask
) -> None:
    fill(session, team, EXPORT_PAGE + 1)
    sizes: list[int] = []

    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine

    @event.listens_for(engine, "after_cursor_execute")
    def count(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "FROM audit_log" in statement:
            sizes.append(cursor.rowcount)

    answer = team.admin.get(f"{team.path}/audit-log/export")
    assert (answer.status_code, answer.content_type) == (200, "application/x-ndjson")
    entries = [json.loads(line) for line in answer.text.splitlines()]
    event.remove(engine, "after_cursor_execute", count)
    assert [entry["before"] for entry in entries[1:]] == [{"revision": n} for n in range(EXPORT_PAGE + 1)]
    assert entries[0]["action"] == "team.created"
    assert sizes == [1, EXPORT_PAGE, 2]  # the newest id, and two pages


def test_an_export_is_bounded_by_time_and_by_what_was_there_when_it_began(
    team: Crew, session: Session
) -> None:
    for name in ("one", "two", "three"):
        team.admin.call("PATCH", team.path, {"name": name})
    times = [datetime.fromisoformat(entry["at"]) for entry in get(team)["items"]][::-1]
    span = {"since": times[1].isoformat(), "until": times[3].isoformat()}
    answer = team.admin.get(f"{team.path}/audit-log/export", query_string=span)
    assert [json.loads(line)["after"]["name"] for line in answer.text.splitlines()] == ["one", "two"]
    future = {"since": (times[3] + timedelta(days=1)).isoformat()}
    assert team.admin.get(f"{team.path}/audit-log/export", query_string=future).text == ""
