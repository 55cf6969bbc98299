"""What is sent to a door has a clear answer, and all of it is taken, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from alertops.intake.event import Source
from alertops.intake.limits import MAX_EVENTS
from tests.integration.api_client import row_counts
from tests.security.conftest import Place

ALERT = {
    "status": "firing",
    "fingerprint": "5ef77f1f8a3ecfc1",
    "startsAt": "2024-02-29T12:00:00.123456789Z",
    "labels": {"alertname": "DiskFull"},
}
EVENT = {"summary": "disk full", "dedup_key": "door"}
GOOD: dict[Source, Any] = {
    Source.PAGERDUTY: {
        "event_action": "trigger",
        "payload": {"summary": "disk full", "source": "db1", "severity": "critical"},
    },
    Source.ALERTMANAGER: {"version": "4", "alerts": [ALERT]},
    Source.GRAFANA: {"alerts": [ALERT]},
    Source.GENERIC: EVENT,
    Source.CLOUDEVENTS: {"specversion": "1.0", "id": "1", "source": "db1", "type": "disk", "data": EVENT},
}
DOORS = pytest.mark.parametrize("kind", [*Source])

Send = Callable[..., TestResponse]


@pytest.fixture
def send(app: Flask, ann: Place) -> Send:
    """Send a body to a door of Ann's team."""
    client = app.test_client()

    def post(kind: Source, body: bytes | str, key: str | None = None, **headers: str) -> TestResponse:
        key = ann.keys[kind] if key is None else key
        path, more = f"/integrations/{kind}/{key}", {}
        content_type = "application/json"
        if kind is Source.PAGERDUTY:
            path, more = "/v2/enqueue", {"X-Routing-Key": key}
        if kind is Source.CLOUDEVENTS:
            content_type = "application/cloudevents+json"
        return client.post(path, data=body, content_type=content_type, headers={**more, **headers})

    return post


def with_more(kind: Source, name: str, value: str) -> str:
    """A good body, with one more member, written as it is, where its details are."""
    body = json.dumps(GOOD[kind])
    spot = '"labels": {' if kind in (Source.ALERTMANAGER, Source.GRAFANA) else "{"
    return body.replace(spot, f'{spot}"{name}": {value}, ', 1)


@DOORS
def test_a_good_body_is_taken(send: Send, kind: Source, session: Session) -> None:
    before = row_counts(session)["executions"]
    answer = send(kind, json.dumps(GOOD[kind]))
    assert answer.status_code == 202, answer.text
    assert row_counts(session)["executions"] == before + 1


@DOORS
def test_a_wrong_key_is_told_so_whatever_comes_with_it(
    send: Send, kind: Source, ann: Place, session: Session
) -> None:
    before = row_counts(session)
    others = [key for other, key in ann.keys.items() if other != kind]
    answers = [send(kind, json.dumps(GOOD[kind]), key) for key in ("x" * 32, "x", "%00", *others)]
    wanted = 400 if kind is Source.PAGERDUTY else 401
    assert {answer.status_code for answer in answers} == {wanted}
    if kind is not Source.PAGERDUTY:
        assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}
        assert len({answer.text for answer in answers}) == 1
    assert row_counts(session) == before


HOSTILE = {
    "nothing": lambda _: b"",
    "no JSON": lambda _: b"{",
    "a text": lambda _: b'"x"',
    "null": lambda _: b"null",
    "a list": lambda _: b"[[]]",
    "UTF-16": lambda kind: json.dumps(GOOD[kind]).encode("utf-16"),
    "bad UTF-8": lambda kind: json.dumps(GOOD[kind]).encode()[:-1] + b', "x": "\xff"}',
    "deep": lambda kind: with_more(kind, "x", "[" * 100_000 + "]" * 100_000).encode(),
    "rather deep": lambda kind: with_more(kind, "x", "[" * 40 + "]" * 40).encode(),
    "the same name twice": lambda kind: with_more(kind, "x", '1, "x": 2').encode(),
    "not a number": lambda kind: with_more(kind, "x", "NaN").encode(),
    "too large a number": lambda kind: with_more(kind, "x", "1e999").encode(),
    "too long a number": lambda kind: with_more(kind, "x", "9" * 5000).encode(),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_cannot_be_read_in_one_way_is_refused_and_nothing_is_written(
    send: Send, body: Callable[[Source], bytes], session: Session
) -> None:
    before = row_counts(session)
    for kind in Source:
        answer = send(kind, body(kind))
        assert answer.status_code in (400, 422), f"{kind}: {answer.text}"
        said = answer.json or {}
        assert said["errors"] or said["detail"]
    assert row_counts(session) == before


@DOORS
def test_what_is_too_large_is_refused_whether_it_says_how_large_it_is_or_not(
    send: Send, kind: Source, session: Session
) -> None:
    before = row_counts(session)
    limit = (512 if kind is Source.PAGERDUTY else 4096) * 1024
    whole = with_more(kind, "x", '"' + "x" * limit + '"')
    assert send(kind, whole).status_code == 413
    assert row_counts(session) == before


@DOORS
def test_characters_that_cannot_be_stored_are_replaced_and_the_alert_is_not_lost(
    send: Send, kind: Source, session: Session
) -> None:
    body = json.dumps(GOOD[kind]).replace("disk full", r"disk\u0000\ud800 full")
    body = body.replace("DiskFull", r"disk\u0000\ud800 full")
    answer = send(kind, body)
    assert answer.status_code == 202, answer.text
    summaries = session.connection().exec_driver_sql("SELECT summary FROM executions").scalars().all()
    assert any("disk\ufffd\ufffd full" in summary for summary in summaries)


@pytest.mark.parametrize("kind", [Source.ALERTMANAGER, Source.GRAFANA])
def test_a_hundred_thousand_labels_and_too_many_alerts_are_refused(
    send: Send, kind: Source, session: Session
) -> None:
    before = row_counts(session)
    labels = {f"l{number}": "x" for number in range(100_000)}
    assert send(kind, json.dumps({"alerts": [{**ALERT, "labels": labels}]})).status_code == 422
    assert send(kind, json.dumps({"alerts": [ALERT] * (MAX_EVENTS + 1)})).status_code == 422
    assert send(kind, json.dumps({"alerts": [ALERT, {**ALERT, "startsAt": "noon"}]})).status_code == 422
    assert row_counts(session) == before


@DOORS
def test_members_that_are_not_known_are_passed_over(send: Send, kind: Source) -> None:
    body = {**GOOD[kind], "somethingnew": {"x": 1}}
    if kind is Source.CLOUDEVENTS:
        body["somethingnew"] = "x"
    assert send(kind, json.dumps(body)).status_code == 202


def test_an_event_names_no_flow_and_no_team(send: Send, ann: Place, ben: Place, session: Session) -> None:
    """Where it goes, the integration says alone."""
    more = {"flow_id": ben.ids["flow_id"], "team_id": ben.ids["team_id"]}
    for kind, body in GOOD.items():
        send(kind, json.dumps({**body, **({} if kind is Source.CLOUDEVENTS else more)}))
    query = "SELECT DISTINCT flow_id::text FROM executions WHERE integration_id IS NOT NULL"
    assert session.connection().exec_driver_sql(query).scalars().all() == [ann.ids["flow_id"]]
