"""Integrations: what a team makes of them, who may, and that a key is shown once and gone when it is."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from alertops.models import Integration
from alertops.services.integrations.integration_key import IntegrationKey
from tests.integration.api_client import a_flow, assert_problem, person
from tests.integration.crew import audited
from tests.integration.doors import Door, door, executions

TRIGGER = {"event_action": "trigger", "payload": {"summary": "disk", "source": "db1", "severity": "critical"}}


@pytest.fixture
def way_in(app: Flask) -> Door:
    return door(app, "pagerduty")


def enqueue(client: FlaskClient, key: str) -> int:
    return client.post("/v2/enqueue", json={**TRIGGER, "routing_key": key}).status_code


def test_a_key_is_shown_once_and_stored_as_a_hash_alone(way_in: Door, session: Session) -> None:
    made = dict(way_in.made)
    key = made.pop("key")
    assert re.fullmatch("[A-Za-z0-9]{32}", key)
    assert (made["prefix"], made["created_by"]) == (key[:4], str(way_in.owner.id))
    row = session.scalars(select(Integration)).one()
    assert row.hash == hashlib.sha256(key.encode()).digest()
    for table in ("integrations", "audit_log"):
        stored = session.scalars(text(f"SELECT t::text FROM {table} t")).all()
        assert stored
        assert not any(key[4:] in line for line in stored)
    assert way_in.owner.get(way_in.path).json == made
    listed = way_in.owner.get(f"/teams/{way_in.team}/integrations").json
    assert listed == {"items": [made], "next_cursor": None}


def test_a_key_has_no_representation_and_enough_chance_that_is_not_shown() -> None:
    key = IntegrationKey.new()
    assert key.text not in repr(key)
    assert 62 ** (len(key.text) - len(key.prefix)) > 2**160
    assert len({IntegrationKey.new().text for _ in range(100)}) == 100
    assert IntegrationKey.parse(key.text) == key
    for odd in (key.text + "\n", key.text[:-1], "é" + key.text[1:], ""):
        assert IntegrationKey.parse(odd) is None


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"kind": "email"}, "/kind"),
        ({"name": " "}, "/name"),
        ({"flow_id": str(uuid4())}, "/flow_id"),
        ({"rules": [{"when": {"severity": "info"}, "flow_id": str(uuid4())}]}, "/rules/0/flow_id"),
        ({"rules": [{"when": {}, "flow_id": "FLOW"}]}, "/rules/0/when"),
        ({"rules": [{"when": {"colour": "red"}, "flow_id": "FLOW"}]}, "/rules/0/when"),
        ({"rules": [{"when": {"labels.": "x"}, "flow_id": "FLOW"}]}, "/rules/0/when"),
        ({"rules": [{"when": {"severity": {"like": 5}}, "flow_id": "FLOW"}]}, "/rules/0/when/severity/value"),
        (
            {"rules": [{"when": {"severity": {"one_of": []}}, "flow_id": "FLOW"}]},
            "/rules/0/when/severity/value",
        ),
        ({"rules": [{"when": {"severity": "info"}, "flow_id": "FLOW"}] * 51}, "/rules"),
        ({"mapping": {"summary": "title"}}, "/mapping"),
        ({"kind": "generic", "mapping": {"summary": "a["}}, "/mapping/summary"),
        ({"kind": "generic", "mapping": {"title": "a"}}, "/mapping/title"),
        ({"hash": "00"}, "/hash"),
        ({"secret": "a secret of some length"}, "/secret"),
        ({"kind": "grafana", "secret": "short"}, "/secret"),
    ],
)
def test_what_an_integration_cannot_be_is_refused(
    way_in: Door, changes: dict[str, Any], pointer: str
) -> None:
    for rule in changes.get("rules", []):
        rule["flow_id"] = way_in.flow if rule["flow_id"] == "FLOW" else rule["flow_id"]
    wanted = {"kind": "pagerduty", "name": "Monitoring", "flow_id": way_in.flow, **changes}
    problem = assert_problem(way_in.owner.post(f"/teams/{way_in.team}/integrations", wanted), 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    if "kind" not in changes:
        assert_problem(way_in.owner.call("PATCH", way_in.path, changes), 422)


def test_a_flow_of_another_team_is_refused_as_one_that_does_not_exist(app: Flask, way_in: Door) -> None:
    ben = person(app, "ben")
    elsewhere = ben.make("/teams", {"name": "Ben's"})["id"]
    theirs = ben.make(f"/teams/{elsewhere}/flows", a_flow())["id"]
    rules = [{"when": {"severity": "info"}, "flow_id": theirs}]
    for body in ({"flow_id": theirs}, {"rules": rules}):
        problem = assert_problem(way_in.owner.call("PATCH", way_in.path, body), 422)
        assert [error["detail"] for error in problem["errors"]] == ["There is no such flow in this team."]


def test_an_integration_is_changed_and_what_is_not_named_stays(way_in: Door, session: Session) -> None:
    other = way_in.another_flow()
    rules = [{"when": {"severity": {"one_of": ["info", "warning"]}}, "flow_id": other}]
    answer = way_in.owner.call("PATCH", way_in.path, {"name": "Nagios", "rules": rules})
    assert answer.status_code == 200
    expected = {name: value for name, value in way_in.made.items() if name != "key"}
    assert answer.json == {**expected, "name": "Nagios", "rules": rules} == way_in.owner.get(way_in.path).json
    way_in.owner.call("PATCH", way_in.path, {"name": "Nagios"})
    log = way_in.owner.get(f"/teams/{way_in.team}/audit-log?action=integration.changed").json or {}
    assert [(entry["before"], entry["after"]) for entry in log["items"]] == [
        ({"name": "pagerduty", "rules": []}, {"name": "Nagios", "rules": rules})
    ]


def test_a_key_that_is_replaced_is_gone_at_once_or_when_it_is_said(
    way_in: Door, client: FlaskClient, session: Session
) -> None:
    second = way_in.owner.make(f"{way_in.path}/key", {"keep_old_seconds": 60})
    assert second["old_until"] is not None
    assert second["prefix"] == second["key"][:4]
    assert [enqueue(client, key) for key in (way_in.key, second["key"])] == [202, 202]
    session.execute(text("UPDATE integrations SET old_until = old_until - interval '61 s'"))
    session.commit()
    assert [enqueue(client, key) for key in (way_in.key, second["key"])] == [400, 202]
    third = way_in.owner.make(f"{way_in.path}/key", None)
    assert third["old_until"] is None
    assert [enqueue(client, key) for key in (second["key"], third["key"])] == [400, 202]


def test_a_revoked_integration_lets_nothing_in_and_stays_to_be_seen(
    way_in: Door, client: FlaskClient, session: Session
) -> None:
    for _ in range(2):
        assert way_in.owner.call("DELETE", way_in.path).status_code == 204
    assert enqueue(client, way_in.key) == 400
    assert executions(session) == []
    shown = way_in.owner.get(way_in.path).json or {}
    assert shown["revoked_by"] == str(way_in.owner.id)
    assert_problem(way_in.owner.call("PATCH", way_in.path, {"name": "x"}), 409)
    assert_problem(way_in.owner.post(f"{way_in.path}/key"), 409)
    assert audited(session)[-2:] == ["integration.made", "integration.revoked"]


def test_a_deleted_team_has_no_ways_in(way_in: Door, client: FlaskClient, session: Session) -> None:
    assert way_in.owner.call("DELETE", f"/teams/{way_in.team}").status_code in (200, 204)
    assert enqueue(client, way_in.key) == 400
    assert executions(session) == []


def test_a_flow_to_which_an_integration_leads_is_not_archived(way_in: Door, session: Session) -> None:
    headers = {"If-Match": "*"}
    refused = way_in.owner.call("DELETE", f"/flows/{way_in.flow}", headers=headers)
    assert "pagerduty" in assert_problem(refused, 409)["detail"]
    way_in.change(flow_id=way_in.another_flow())
    assert way_in.owner.call("DELETE", f"/flows/{way_in.flow}", headers=headers).status_code == 200
    refused = way_in.owner.call("PATCH", way_in.path, {"flow_id": way_in.flow})
    assert assert_problem(refused, 422)["errors"][0]["pointer"] == "/flow_id"
