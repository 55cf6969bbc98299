"""PagerDuty's Events API v2, spoken by its own client and by hand."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
from flask import Flask
from flask.testing import FlaskClient
from pagerduty import EventsApiV2Client
from pagerduty.errors import Error
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from alertops.models import Change, TimelineEntry
from tests.integration.api_client import row_counts
from tests.integration.conftest import RecordingPublisher
from tests.integration.doors import Door, door, executions, served, told

PAYLOAD = {"summary": "Disk is full", "source": "db1", "severity": "critical"}
Sent = dict[str, Any]


@pytest.fixture
def way_in(app: Flask) -> Door:
    return door(app, "pagerduty")


@pytest.fixture
def peer(app: Flask, way_in: Door) -> Iterator[EventsApiV2Client]:
    """PagerDuty's client, which was told one other URL. It speaks TLS alone."""
    authority = trustme.CA()
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(ours)
    authority.configure_trust(theirs)
    with (
        served(app, ours) as address,
        EventsApiV2Client(way_in.key, base_url=address, verify=theirs) as client,
    ):
        yield client


def post(client: FlaskClient, way_in: Door, **event: Any) -> TestResponse:
    return client.post("/v2/enqueue", json={"routing_key": way_in.key, **event})


def test_an_execution_shows_which_integration_raised_it(client: FlaskClient, way_in: Door) -> None:
    payload = {"summary": "Disk is full", "source": "db1", "severity": "error"}
    assert post(client, way_in, event_action="trigger", payload=payload).status_code == 202
    way_in.owner.make(f"/flows/{way_in.flow}/executions", {"summary": "by hand"})
    listed = way_in.owner.get(f"/teams/{way_in.team}/executions").json or {}
    raised_by = {each["summary"]: each["integration_id"] for each in listed["items"]}
    assert raised_by == {"Disk is full": way_in.made["id"], "by hand": None}
    for each in listed["items"]:
        shown = way_in.owner.get(f"/executions/{each['id']}").json or {}
        assert shown["integration_id"] == each["integration_id"]


def test_an_alert_is_triggered_joined_acknowledged_and_resolved(
    peer: EventsApiV2Client, way_in: Door, session: Session, publisher: RecordingPublisher
) -> None:
    key = peer.trigger("Disk is full", "db1", severity="error", custom_details={"free": "0 B"})
    [execution] = executions(session)
    assert (execution.dedup_key, execution.summary, execution.severity) == (key, "Disk is full", "error")
    assert execution.details == {"source": "db1", "custom_details": {"free": "0 B"}}
    assert str(execution.integration_id) == way_in.made["id"]
    assert [message.args for message in publisher.messages] == [(str(execution.id), 1)]
    assert peer.trigger("Disk is still full", "db1", dedup_key=key) == key
    assert peer.acknowledge(key) == key
    assert peer.acknowledge(key) == key
    assert peer.resolve(key) == key
    [execution] = executions(session)
    assert (execution.status, execution.alert_count) == ("resolved", 2)
    assert told(session, execution) == ["started", "alert_repeated", "acknowledged", "resolved"]
    actors = session.scalars(select(TimelineEntry.actor_id)).all()
    assert {str(actor) for actor in actors} == {way_in.made["id"]}


def test_after_a_resolve_a_trigger_opens_another_execution(peer: EventsApiV2Client, session: Session) -> None:
    for _ in range(2):
        peer.trigger("Disk is full", "db1", dedup_key="disk")
        peer.resolve("disk")
    peer.trigger("Disk is full", "db1", dedup_key="disk")
    assert [execution.status for execution in executions(session)] == ["resolved", "resolved", "running"]


def test_what_is_not_open_is_acknowledged_and_resolved_by_nobody(
    peer: EventsApiV2Client, session: Session
) -> None:
    before = row_counts(session)
    assert peer.acknowledge("nothing") == "nothing"
    assert peer.resolve("nothing") == "nothing"
    assert row_counts(session) == before


def test_a_change_is_recorded_and_alerts_nobody(
    peer: EventsApiV2Client, way_in: Door, session: Session, publisher: RecordingPublisher
) -> None:
    peer.submit("Deployed 1.2", "CI", custom_details={"by": "ann"}, timestamp="2024-02-29T12:00:00Z")
    assert executions(session) == []
    assert publisher.messages == []
    change = session.scalars(select(Change)).one()
    [shown] = (way_in.owner.get(f"/teams/{way_in.team}/changes").json or {})["items"]
    assert shown["id"] == str(change.id)
    assert (shown["summary"], shown["integration_id"]) == ("Deployed 1.2", way_in.made["id"])
    assert shown["occurred_at"] == "2024-02-29T12:00:00.000000Z"
    assert shown["details"]["custom_details"] == {"by": "ann"}


def test_the_client_is_told_what_is_wrong_in_its_own_words(peer: EventsApiV2Client) -> None:
    with pytest.raises(Error, match="400") as refused:
        peer.trigger("", "db1")
    assert refused.value.response.json() == {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": ["'payload.summary' is missing or blank"],
    }


def test_a_trigger_without_a_key_is_given_one(way_in: Door, client: FlaskClient, session: Session) -> None:
    answers = [post(client, way_in, event_action="trigger", payload=PAYLOAD) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert {(answer.json or {})["status"] for answer in answers} == {"success"}
    assert {(answer.json or {})["message"] for answer in answers} == {"Event processed"}
    keys = [(answer.json or {})["dedup_key"] for answer in answers]
    assert [execution.dedup_key for execution in executions(session)] == keys
    assert len(set(keys)) == 2


@pytest.mark.parametrize(
    ("event", "errors"),
    [
        ({}, ["event_action"]),
        ({"event_action": "close"}, ["event_action"]),
        ({"event_action": "trigger"}, ["payload"]),
        ({"event_action": "trigger", "payload": []}, ["payload"]),
        (
            {"event_action": "trigger", "payload": {}},
            ["payload.summary", "payload.source", "payload.severity"],
        ),
        ({"event_action": "trigger", "payload": {**PAYLOAD, "severity": "bad"}}, ["payload.severity"]),
        ({"event_action": "trigger", "payload": {**PAYLOAD, "severity": ["info"]}}, ["payload.severity"]),
        ({"event_action": "trigger", "payload": {**PAYLOAD, "summary": "x" * 1025}}, ["payload.summary"]),
        ({"event_action": "trigger", "payload": {**PAYLOAD, "source": 7}}, ["payload.source"]),
        ({"event_action": "trigger", "payload": PAYLOAD, "dedup_key": "k" * 256}, ["dedup_key"]),
        ({"event_action": "trigger", "payload": PAYLOAD, "dedup_key": 5}, ["dedup_key"]),
        ({"event_action": "acknowledge"}, ["dedup_key"]),
        ({"event_action": "resolve", "dedup_key": ""}, ["dedup_key"]),
        ({"event_action": {"a": "trigger"}}, ["event_action"]),
    ],
)
def test_an_invalid_event_is_refused_whole(
    way_in: Door, client: FlaskClient, session: Session, event: Sent, errors: list[str]
) -> None:
    answer = post(client, way_in, **event)
    assert answer.status_code == 400
    said = answer.json or {}
    assert (said["status"], said["message"]) == ("invalid event", "Event object is invalid")
    assert [error.split("'")[1] for error in said["errors"]] == errors
    assert executions(session) == []


def test_longest_texts_are_taken(way_in: Door, client: FlaskClient, session: Session) -> None:
    payload = {**PAYLOAD, "summary": "é" * 1024}
    answer = post(client, way_in, event_action="trigger", payload=payload, dedup_key="k" * 255)
    assert answer.status_code == 202
    assert executions(session)[0].summary == "é" * 1024


def test_the_key_may_come_in_a_header_and_must_be_one(
    way_in: Door, client: FlaskClient, session: Session
) -> None:
    event = {"event_action": "trigger", "payload": PAYLOAD}
    in_header = client.post("/v2/enqueue", json=event, headers={"X-Routing-Key": way_in.key})
    assert in_header.status_code == 202
    for key in (None, "", "x" * 32, way_in.key[:-1], way_in.key + "\n", 5, way_in.key.swapcase()):
        answer = client.post("/v2/enqueue", json={**event, "routing_key": key})
        assert answer.status_code == 400, key
        assert "'routing_key'" in (answer.json or {})["errors"][0]
    other = way_in.another("grafana")
    assert client.post("/v2/enqueue", json={**event, "routing_key": other.key}).status_code == 400
    assert len(executions(session)) == 1


def test_more_than_half_a_megabyte_is_too_large(way_in: Door, client: FlaskClient, session: Session) -> None:
    payload = {**PAYLOAD, "custom_details": {"log": "x" * 512 * 1024}}
    answer = post(client, way_in, event_action="trigger", payload=payload)
    assert answer.status_code == 413
    assert (answer.json or {})["status"] == "invalid event"
    assert executions(session) == []


def test_a_severity_that_gets_worse_reaches_whom_it_must_and_one_resolve_ends_both(
    way_in: Door, client: FlaskClient, session: Session
) -> None:
    calm = way_in.another_flow()
    way_in.change(rules=[{"when": {"severity": {"one_of": ["info", "warning"]}}, "flow_id": calm}])
    for severity in ("warning", "critical", "critical"):
        payload = {**PAYLOAD, "severity": severity}
        post(client, way_in, event_action="trigger", payload=payload, dedup_key="disk")
    assert [str(execution.flow_id) for execution in executions(session)] == [calm, way_in.flow]
    way_in.change(rules=[])  # what it has opened it can still end
    assert post(client, way_in, event_action="resolve", dedup_key="disk").status_code == 202
    assert {execution.status for execution in executions(session)} == {"resolved"}


def test_an_integration_ends_what_it_has_joined_and_not_what_others_have_elsewhere(
    way_in: Door, client: FlaskClient, session: Session
) -> None:
    alert = {"summary": "disk", "dedup_key": "disk"}
    elsewhere = way_in.another_flow()
    for flow in (way_in.flow, elsewhere):
        way_in.owner.make(f"/flows/{flow}/executions", alert)
    post(client, way_in, event_action="trigger", payload=PAYLOAD, dedup_key="disk")
    post(client, way_in, event_action="resolve", dedup_key="disk")
    assert {str(e.flow_id): e.status for e in executions(session)} == {
        way_in.flow: "resolved",
        elsewhere: "running",
    }


def test_nobodys_answer_is_no_end_an_exhausted_execution_is_resolved_too(
    way_in: Door, client: FlaskClient, session: Session
) -> None:
    post(client, way_in, event_action="trigger", payload=PAYLOAD, dedup_key="disk")
    [execution] = executions(session)
    execution.status = "exhausted"
    session.commit()
    post(client, way_in, event_action="trigger", payload=PAYLOAD, dedup_key="disk")
    post(client, way_in, event_action="acknowledge", dedup_key="disk")
    assert [execution.status for execution in executions(session)] == ["exhausted", "acknowledged"]
    post(client, way_in, event_action="resolve", dedup_key="disk")
    assert [execution.status for execution in executions(session)] == ["resolved", "resolved"]


def test_an_exhausted_execution_can_be_acknowledged(
    way_in: Door, client: FlaskClient, session: Session
) -> None:
    post(client, way_in, event_action="trigger", payload=PAYLOAD, dedup_key="disk")
    [execution] = executions(session)
    execution.status = "exhausted"
    session.commit()
    post(client, way_in, event_action="acknowledge", dedup_key="disk")
    assert executions(session)[0].status == "acknowledged"
