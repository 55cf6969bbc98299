"""Heartbeats over HTTP: what a team makes of them, where jobs ping, and what is refused."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from alertops.models import Heartbeat
from alertops.services.accounts.limits import PING_ADDRESS
from tests.integration.api_client import Person, a_flow, assert_problem, person, row_counts
from tests.integration.conftest import RecordingPublisher
from tests.integration.crew import audited
from tests.integration.heartbeating import wake_ups


class Team:
    """Ann's, with a flow, and a heartbeat."""

    def __init__(self, app: Flask) -> None:
        self.ann: Person = person(app, "ann")
        self.id = self.ann.make("/teams", {"name": "Operations"})["id"]
        self.flow = self.another_flow("Flow")
        self.made = self.make()
        self.path = f"/heartbeats/{self.made['id']}"

    def another_flow(self, name: str) -> str:
        return str(self.ann.make(f"/teams/{self.id}/flows", a_flow(name=name))["id"])

    def make(self, **changes: Any) -> dict[str, Any]:
        wanted = {"name": "Backup", "flow_id": self.flow, "every_seconds": 3600, **changes}
        return self.ann.make(f"/teams/{self.id}/heartbeats", wanted)

    @property
    def shown(self) -> dict[str, Any]:
        return dict(self.ann.get(self.path).json or {})

    def change(self, **changes: Any) -> dict[str, Any]:
        answer = self.ann.call("PATCH", self.path, changes)
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})


@pytest.fixture
def team(app: Flask) -> Team:
    return Team(app)


def ping_path(made: dict[str, Any]) -> str:
    return f"/heartbeats/{made['key']}"


def test_a_key_is_shown_once_and_stored_as_a_hash_alone(team: Team, session: Session) -> None:
    made = dict(team.made)
    key, url = made.pop("key"), made.pop("ping_url")
    assert re.fullmatch("[A-Za-z0-9]{32}", key)
    assert url.endswith(f"/heartbeats/{key}")
    assert (made["status"], made["grace_seconds"], made["resolve_on_ping"]) == ("new", 300, True)
    row = session.scalars(select(Heartbeat)).one()
    assert (row.hash, row.prefix) == (hashlib.sha256(key.encode()).digest(), key[:4])
    for table in ("heartbeats", "audit_log"):
        stored = session.scalars(text(f"SELECT t::text FROM {table} t")).all()
        assert stored
        assert not any(key[4:] in line for line in stored)
    assert team.shown == made
    assert team.ann.get(f"/teams/{team.id}/heartbeats").json == {"items": [made], "next_cursor": None}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_job_pings_with_whatever_it_has(
    client: FlaskClient, team: Team, publisher: RecordingPublisher, method: str
) -> None:
    answer = client.open(
        ping_path(team.made), method=method, data=b"\xffnot JSON" if method == "POST" else b""
    )
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    if method != "HEAD":
        assert answer.json == {"status": "up"}
    shown = team.shown
    assert (shown["status"], shown["last_ping_at"] < shown["due_at"]) == ("up", True)
    [(number, delay)] = wake_ups(publisher.messages)
    assert (number, 3890 < delay <= 3900) == (1, True)


@pytest.mark.parametrize(
    "key", ["x" * 32, "x", "%00", "é" * 32, "A" * 5000], ids=["unknown", "short", "NUL", "not ASCII", "long"]
)
def test_a_wrong_key_is_told_so_and_writes_nothing_of_a_team(
    client: FlaskClient, team: Team, session: Session, key: str
) -> None:
    before = row_counts(session)
    answer = client.get(f"/heartbeats/{key}")
    assert_problem(answer, 401)
    after = row_counts(session)
    assert {**before, "throttles": 0} == {**after, "throttles": 0}
    assert team.shown["status"] == "new"


def test_the_key_of_something_else_is_none(client: FlaskClient, team: Team) -> None:
    wanted = {"kind": "generic", "name": "Monitoring", "flow_id": team.flow}
    key = team.ann.make(f"/teams/{team.id}/integrations", wanted)["key"]
    assert_problem(client.get(f"/heartbeats/{key}"), 401)
    assert client.post(f"/integrations/generic/{team.made['key']}", json={"summary": "x"}).status_code == 401


def test_who_tries_keys_is_slowed_down_and_who_has_one_is_not(client: FlaskClient, team: Team) -> None:
    tried = [client.get(f"/heartbeats/{'x' * 32}").status_code for _ in range(PING_ADDRESS.burst + 3)]
    assert tried[: PING_ADDRESS.burst] == [401] * PING_ADDRESS.burst
    slowed = client.get(f"/heartbeats/{'x' * 32}")
    assert slowed.status_code == 503
    assert int(slowed.headers["Retry-After"]) >= 1
    assert client.get(ping_path(team.made)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"flow_id": str(uuid4())}, "/flow_id"),
        ({"every_seconds": 9}, "/every_seconds"),
        ({"every_seconds": 366 * 24 * 3600 + 1}, "/every_seconds"),
        ({"every_seconds": "60"}, "/every_seconds"),
        ({"every_seconds": 60.0}, "/every_seconds"),
        ({"grace_seconds": 0}, "/grace_seconds"),
        ({"grace_seconds": 30 * 24 * 3600 + 1}, "/grace_seconds"),
        ({"severity": "loud"}, "/severity"),
        ({"resolve_on_ping": "yes"}, "/resolve_on_ping"),
        ({"status": "up"}, "/status"),
        ({"hash": "00"}, "/hash"),
    ],
)
def test_what_a_heartbeat_cannot_be_is_refused(team: Team, changes: dict[str, Any], pointer: str) -> None:
    wanted = {"name": "Backup", "flow_id": team.flow, "every_seconds": 3600, **changes}
    for answer in (
        team.ann.post(f"/teams/{team.id}/heartbeats", wanted),
        team.ann.call("PATCH", team.path, changes),
    ):
        problem = assert_problem(answer, 422)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert team.shown == {name: value for name, value in team.made.items() if name in team.shown}


def test_a_flow_of_another_team_is_refused_as_one_that_does_not_exist(app: Flask, team: Team) -> None:
    ben = person(app, "ben")
    elsewhere = ben.make("/teams", {"name": "Ben's"})["id"]
    theirs = ben.make(f"/teams/{elsewhere}/flows", a_flow())["id"]
    problem = assert_problem(team.ann.call("PATCH", team.path, {"flow_id": theirs}), 422)
    assert [error["detail"] for error in problem["errors"]] == ["There is no such flow in this team."]


def test_it_is_changed_and_what_is_not_named_stays(team: Team, session: Session) -> None:
    changed = team.change(name="Nightly", every_seconds=60, paused=True)
    assert changed == {
        **{name: value for name, value in team.made.items() if name not in ("key", "ping_url")},
        "name": "Nightly",
        "every_seconds": 60,
        "status": "paused",
    }
    team.change(name="Nightly")
    log = team.ann.get(f"/teams/{team.id}/audit-log?action=heartbeat.changed").json or {}
    assert [(entry["before"], entry["after"]) for entry in log["items"]] == [
        (
            {"name": "Backup", "every_seconds": 3600, "paused": False},
            {"name": "Nightly", "every_seconds": 60, "paused": True},
        )
    ]
    assert team.change(paused=False)["status"] == "new"
    assert audited(session).count("heartbeat.changed") == 2


def test_a_key_that_is_replaced_is_gone_at_once_or_when_it_is_said(
    client: FlaskClient, team: Team, session: Session
) -> None:
    second = team.ann.make(f"{team.path}/key", {"keep_old_seconds": 3600})
    assert [client.get(ping_path(made)).status_code for made in (team.made, second)] == [200, 200]
    session.execute(update(Heartbeat).values(old_until=text("now() - interval '1 second'")))
    session.commit()
    assert [client.get(ping_path(made)).status_code for made in (team.made, second)] == [401, 200]
    third = team.ann.make(f"{team.path}/key", {})
    assert [client.get(ping_path(made)).status_code for made in (second, third)] == [401, 200]
    assert team.shown["prefix"] == third["key"][:4]


def test_what_is_deleted_is_gone_and_so_is_its_key(client: FlaskClient, team: Team, session: Session) -> None:
    assert team.ann.call("DELETE", team.path).status_code == 204
    assert_problem(team.ann.get(team.path), 404)
    assert_problem(team.ann.call("DELETE", team.path), 404)
    assert_problem(client.get(ping_path(team.made)), 401)
    assert audited(session)[-2:] == ["heartbeat.made", "heartbeat.deleted"]


def test_a_flow_to_which_a_heartbeat_leads_is_not_archived(team: Team) -> None:
    path = f"/flows/{team.flow}"
    problem = assert_problem(team.ann.call("DELETE", path, headers={"If-Match": "*"}), 409)
    assert "Backup" in problem["detail"]
    team.change(flow_id=team.another_flow("Another"))
    assert team.ann.call("DELETE", path, headers={"If-Match": "*"}).status_code in (200, 204)
    answer = team.ann.call("PATCH", team.path, {"flow_id": team.flow})
    assert "archived" in assert_problem(answer, 422)["errors"][0]["detail"]


def test_a_team_has_so_many(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alertops.services.heartbeats.make_heartbeat.MAX_HEARTBEATS", 2)
    team.make()
    wanted = {"name": "One more", "flow_id": team.flow, "every_seconds": 60}
    problem = assert_problem(team.ann.post(f"/teams/{team.id}/heartbeats", wanted), 409)
    assert problem["current"] == {"heartbeats": 2}


def test_a_deleted_team_is_pinged_by_nobody(client: FlaskClient, team: Team, session: Session) -> None:
    assert client.get(ping_path(team.made)).status_code == 200
    assert team.ann.call("DELETE", f"/teams/{team.id}").status_code in (200, 204)
    assert_problem(client.get(ping_path(team.made)), 401)
    assert row_counts(session)["heartbeats"] == 0
