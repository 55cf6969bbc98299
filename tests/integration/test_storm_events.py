"""Storms as monitoring systems bring them: joined, listed over HTTP, and over when the last alert is."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests.integration.api_client import assert_problem, person
from tests.integration.doors import Door, door, executions, told


class Monitoring:
    """An Alertmanager whose alerts are grouped by a label."""

    def __init__(self, app: Flask) -> None:
        self.door: Door = door(app, "alertmanager")
        self.client: FlaskClient = app.test_client()
        self.change_flow(group_by=["labels.service"], group_window_seconds=60)

    def change_flow(self, **changes: Any) -> None:
        path = f"/flows/{self.door.flow}"
        answer = self.door.owner.call("PATCH", path, changes, headers={"If-Match": "*"})
        assert answer.status_code == 200, answer.text

    def send(self, *alerts: dict[str, Any]) -> list[str]:
        """What became of each."""
        answer = self.door.send(self.client, {"version": "4", "alerts": [*alerts]})
        assert answer.status_code == 202, answer.text
        return [event["outcome"] for event in (answer.json or {})["events"]]

    def alerts(self, execution_id: object, **query: Any) -> dict[str, Any]:
        answer = self.door.owner.get(f"/executions/{execution_id}/alerts", query_string=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})


@pytest.fixture
def monitoring(app: Flask) -> Monitoring:
    return Monitoring(app)


def alert(name: str, service: str = "web", *, over: bool = False, severity: str = "error") -> dict[str, Any]:
    return {
        "status": "resolved" if over else "firing",
        "fingerprint": f"{name}-of-{service}",
        "startsAt": "2026-01-01T00:00:00Z",
        "labels": {"alertname": name, "service": service, "severity": severity},
    }


def test_a_notification_of_many_is_one_execution_for_each_group(
    monitoring: Monitoring, session: Session
) -> None:
    outcomes = monitoring.send(*(alert(f"a{n}", service) for n in range(5) for service in ("web", "mail")))
    assert outcomes.count("opened") == 2
    assert outcomes.count("joined") == 8
    assert [execution.alert_count for execution in executions(session)] == [5, 5]
    assert set(monitoring.send(alert("a0"), alert("a9"))) == {"joined"}


def test_it_is_over_when_the_last_of_its_alerts_is(monitoring: Monitoring, session: Session) -> None:
    monitoring.send(*(alert(name) for name in ("disk", "load", "swap")))
    assert monitoring.send(alert("disk", over=True), alert("load", over=True)) == ["resolved"] * 2
    (execution,) = executions(session)
    assert execution.status == "running"
    page = monitoring.alerts(execution.id)
    assert (page["alerts"], page["unresolved"]) == (3, 1)
    assert [item["resolved_at"] is None for item in page["items"]] == [False, False, True]
    # Said once more, it is about nothing.
    assert monitoring.send(alert("disk", over=True)) == ["dropped"]
    assert monitoring.send(alert("swap", over=True)) == ["resolved"]
    (execution,) = executions(session)
    assert (execution.status, told(session, execution)[-1]) == ("resolved", "resolved")


def test_all_at_once_is_over_at_once(monitoring: Monitoring, session: Session) -> None:
    names = [f"a{n}" for n in range(50)]
    monitoring.send(*(alert(name) for name in names))
    assert monitoring.send(*(alert(name, over=True) for name in names)) == ["resolved"] * 50
    (execution,) = executions(session)
    assert execution.status == "resolved"
    assert told(session, execution).count("resolved") == 1


def test_what_fires_again_is_waited_for_again(monitoring: Monitoring, session: Session) -> None:
    monitoring.send(alert("disk"), alert("load"))
    monitoring.send(alert("disk", over=True))
    assert monitoring.send(alert("disk")) == ["joined"]
    monitoring.send(alert("load", over=True))
    (execution,) = executions(session)
    assert execution.status == "running"
    monitoring.send(alert("disk", over=True))
    (execution,) = executions(session)
    assert execution.status == "resolved"


def test_a_request_that_fires_and_ends_finds_what_it_has_just_left(
    monitoring: Monitoring, session: Session
) -> None:
    outcomes = monitoring.send(
        alert("disk"), alert("load"), alert("disk", over=True), alert("load", over=True)
    )
    assert outcomes == ["opened", "joined", "resolved", "resolved"]
    (execution,) = executions(session)
    assert execution.status == "resolved"


def test_what_another_integration_brings_to_the_group_it_ends_itself(
    monitoring: Monitoring, session: Session
) -> None:
    monitoring.send(alert("disk"))
    other = monitoring.door.another("generic")
    document = {"summary": "load", "dedup_key": "load", "severity": "error", "labels": {"service": "web"}}
    assert other.send(monitoring.client, document).status_code == 202
    (execution,) = executions(session)
    assert execution.alert_count == 2
    monitoring.send(alert("disk", over=True))
    (execution,) = executions(session)
    assert execution.status == "running"
    assert other.send(monitoring.client, {**document, "action": "resolve"}).status_code == 202
    (execution,) = executions(session)
    assert execution.status == "resolved"


def test_to_acknowledge_one_of_them_is_to_take_all(app: Flask, session: Session) -> None:
    way_in = door(app, "pagerduty")
    client = app.test_client()
    path = f"/flows/{way_in.flow}"
    way_in.owner.call("PATCH", path, {"group_by": ["severity"]}, headers={"If-Match": "*"})

    def send(action: str, key: str) -> int:
        payload = {"summary": key, "source": "db1", "severity": "error"}
        body = {"routing_key": way_in.key, "event_action": action, "dedup_key": key, "payload": payload}
        return client.post("/v2/enqueue", json=body).status_code

    assert [send("trigger", "disk"), send("trigger", "load"), send("acknowledge", "load")] == [202] * 3
    (execution,) = executions(session)
    assert (execution.status, execution.alert_count) == ("acknowledged", 2)


def test_one_that_nobody_can_end_is_left_to_people(monitoring: Monitoring, session: Session) -> None:
    monitoring.send(alert("disk"))
    body = {"summary": "by hand", "severity": "error"}
    path = f"/flows/{monitoring.door.flow}/executions"
    assert monitoring.door.owner.post(path, body).status_code == 202  # it has no label, and is on its own
    monitoring.change_flow(group_by=["severity"])
    monitoring.send(alert("load", "mail"))
    joined = monitoring.door.owner.post(path, body)
    assert joined.status_code == 200
    monitoring.send(alert("load", "mail", over=True))
    (execution,) = [each for each in executions(session) if each.id.hex == _id(joined).replace("-", "")]
    assert execution.status == "running"
    page = monitoring.alerts(execution.id)
    assert [(item["dedup_key"] is None, item["resolved_at"] is None) for item in page["items"]] == [
        (False, False),
        (True, True),
    ]


def _id(answer: Any) -> str:
    return str((answer.json or {})["id"])


def test_the_list_comes_in_pages_with_the_rest_counted(monitoring: Monitoring, session: Session) -> None:
    monitoring.send(*(alert(f"a{n}") for n in range(120)))
    (execution,) = executions(session)
    first = monitoring.alerts(execution.id, limit=100)
    assert (len(first["items"]), first["alerts"], first["unresolved"]) == (100, 120, 120)
    rest = monitoring.alerts(execution.id, limit=100, cursor=first["next_cursor"])
    assert (len(rest["items"]), rest["next_cursor"]) == (20, None)
    shown = monitoring.door.owner.get(f"/executions/{execution.id}").json or {}
    assert (shown["alert_count"], shown["group_until"] is None) == (120, False)
    assert_problem(monitoring.door.owner.get(f"/executions/{execution.id}/alerts?cursor=x"), 422)


def test_a_stranger_sees_none_of_them(app: Flask, monitoring: Monitoring, session: Session) -> None:
    monitoring.send(alert("disk"), alert("load"))
    (execution,) = executions(session)
    assert_problem(person(app, "eve").get(f"/executions/{execution.id}/alerts"), 404)
