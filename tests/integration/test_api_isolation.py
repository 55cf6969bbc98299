"""A stranger sees and changes nothing, on any route: also on those that are added later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import literal, true
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from alertops.models import GoneWebhook, Outsider
from alertops.services import pages
from alertops.services.access import door
from tests.integration.api_client import API, Person, a_flow, a_node, assert_problem, person, row_counts

AN_EVENT: dict[str, Any] = {
    "event_action": "trigger",
    "payload": {"summary": "disk full", "source": "db1", "severity": "critical"},
}
# What a route needs in its body to get past validation; a new route with a body must be added here.
MAINTENANCE = {
    "name": "mine",
    "mode": "drop",
    "starts_at": "2099-01-01T00:00:00Z",
    "ends_at": "2099-01-02T00:00:00Z",
}
DESTINATION = {"name": "mine", "url": "ntfys://ntfy.example.com/alerts"}
SUBSCRIPTION = {"name": "mine", "url": "https://hooks.example.com/events"}
BODIES: dict[str, Any] = {
    "flows.create": a_flow(),
    "preview.show_unsaved": a_flow(),
    "executions.start": {"summary": "disk full"},
    "executions.start_batch": {"alerts": [{"summary": "disk full"}]},
    "operations.snooze_execution": {"for_seconds": 60},
    "operations.escalate_execution": {"step": 1},
    "operations.reassign_execution": {"user_id": str(uuid4())},
    "operations.note": {"text": "mine"},
    "operations.acknowledge_all": {"status": "running"},
    "operations.resolve_all": {"status": "running"},
    "integrations.create": {"kind": "pagerduty", "name": "mine", "flow_id": str(uuid4())},
    "integrations.change": {"name": "mine"},
    "heartbeats.create": {"name": "mine", "flow_id": str(uuid4()), "every_seconds": 60},
    "heartbeats.change": {"name": "mine"},
    "integrations.try_out": {"sent": AN_EVENT},
    "flows.change": {"name": "Mine now"},
    "flows.replace": a_flow(name="Mine now"),
    "nodes.add": a_node(),
    "nodes.change": {"name": "mine"},
    "nodes.order": {"node_ids": [str(uuid4())]},
    "invitations.create": {"email": "eve@example.org", "role": "viewer"},
    "invitations.change": {"role": "admin"},
    "teams.rename": {"name": "Mine now"},
    "members.change": {"role": "viewer"},
    "members.hand_over_team": {"user_id": str(uuid4())},
    "api_keys.create": {"name": "mine", "scopes": ["manage"]},
    "maintenance.declare": MAINTENANCE,
    "destinations.create": DESTINATION,
    "destinations.change": {"name": "mine"},
    "subscriptions.create": SUBSCRIPTION,
    "subscriptions.change": {"name": "mine"},
}
# For people who are not logged in; by the token of a mail, if by anything.
PUBLIC = {"auth", "received_invitations", "addressed"}
NEEDS_REFRESH_TOKEN = "auth.refresh"


def calls(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every route of the API with every method that it takes."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(API):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method


def is_public(rule: Rule) -> bool:
    return rule.endpoint.partition(".")[0] in PUBLIC and rule.endpoint != NEEDS_REFRESH_TOKEN


def calls_with_ids(app: Flask) -> list[tuple[Rule, str]]:
    found = [(rule, method) for rule, method in calls(app) if rule.arguments and not is_public(rule)]
    assert len(found) >= 10
    return found


def path_of(app: Flask, rule: Rule, ids: dict[str, Any]) -> str:
    with app.test_request_context():
        return app.url_map.bind("localhost").build(
            rule.endpoint, {name: ids[name] for name in rule.arguments}
        )


@pytest.fixture
def ids(app: Flask, session: Session) -> dict[str, Any]:
    """The ids of what belongs to Ann's team."""
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    flow = ann.make(f"/teams/{team}/flows", a_flow(a_node(), a_node("second")))
    execution = ann.make(f"/flows/{flow['id']}/executions", {"summary": "disk full"})["id"]
    node = flow["nodes"][0]["id"]
    invitation = ann.make(f"/teams/{team}/invitations", {"email": "ben@example.org", "role": "member"})["id"]
    outsider = Outsider(team_id=UUID(team), address="else@example.org")
    gone = GoneWebhook(team_id=UUID(team), url_hash=b"-" * 32, shown_url="https://x/…", said="410 Gone")
    session.add_all([outsider, gone])
    session.commit()
    return {
        "team_id": team,
        "flow_id": flow["id"],
        "node_id": node,
        "invitation_id": invitation,
        "outsider_id": str(outsider.id),
        "gone_id": str(gone.id),
        "execution_id": execution,
        "number": 1,
        "integration_id": ann.make(
            f"/teams/{team}/integrations", {"kind": "pagerduty", "name": "CI", "flow_id": flow["id"]}
        )["id"],
        "heartbeat_id": ann.make(
            f"/teams/{team}/heartbeats", {"name": "backup", "flow_id": flow["id"], "every_seconds": 60}
        )["id"],
        "session_id": str(ann.session_id),
        "user_id": str(ann.id),
        "key_id": ann.make(f"/teams/{team}/api-keys", {"name": "CI", "scopes": ["trigger"]})["id"],
        "window_id": ann.make(f"/teams/{team}/maintenance-windows", MAINTENANCE)["id"],
        "secret_id": ann.make(f"/teams/{team}/webhook-secrets", {})["id"],
        "destination_id": ann.make(f"/teams/{team}/destinations", DESTINATION)["id"],
        "subscription_id": ann.make(f"/teams/{team}/subscriptions", SUBSCRIPTION)["id"],
    }


@pytest.fixture(params=["in no team", "in another team"])
def stranger(app: Flask, request: pytest.FixtureRequest) -> Person:
    charlie = person(app, "charlie")
    if request.param == "in another team":
        team = charlie.make("/teams", {"name": "Charlie's"})["id"]
        charlie.make(f"/teams/{team}/flows", a_flow())
    return charlie


@pytest.fixture(params=["with a lock", "without a lock"])
def lock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The door, as it is, or broken: then only the wall in the database is left."""
    if request.param == "without a lock":
        monkeypatch.setattr(door, "_with_role", lambda _, query, __: query.add_columns(literal("owner")))


@pytest.mark.usefixtures("lock")
def test_a_stranger_finds_nothing_and_changes_nothing(
    app: Flask, ids: dict[str, Any], stranger: Person, session: Session
) -> None:
    before = row_counts(session)
    nowhere = {name: 2 if name == "number" else str(uuid4()) for name in ids}
    for rule, method in calls_with_ids(app):
        body = BODIES.get(rule.endpoint, {}) if method != "GET" else None
        # With a condition that holds, and without one: neither may tell that there is something.
        for headers in ({"If-Match": "*"}, {}):
            hidden = stranger.call(method, path_of(app, rule, ids), body, headers=headers)
            missing = stranger.call(method, path_of(app, rule, nowhere), body, headers=headers)
            assert assert_problem(hidden, 404) == assert_problem(missing, 404), f"{method} {rule}"
    assert row_counts(session) == before


@pytest.mark.parametrize("condition", ["in place", "forgotten"])
def test_lists_hold_nothing_of_other_teams(
    app: Flask, ids: dict[str, Any], monkeypatch: pytest.MonkeyPatch, condition: str
) -> None:
    if condition == "forgotten":
        monkeypatch.setattr(pages, "seen_by", lambda *_: true())
    charlie = person(app, "charlie")
    assert charlie.get("/teams").json == {"items": [], "next_cursor": None}
    assert (charlie.get("/me").json or {})["memberships"] == []


def test_every_route_but_the_public_ones_needs_a_token(app: Flask, ids: dict[str, Any]) -> None:
    client = app.test_client()
    for rule, method in calls(app):
        if not is_public(rule):
            answer = client.open(path_of(app, rule, ids), method=method)
            assert_problem(answer, 401)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "odd", ["1", "x", "%00", "..%2f", "{9fbf1fa4-6a15-4a4a-9f11-2f3d1f2a4f11}", "a" * 5000]
)
def test_an_id_that_is_no_uuid_is_not_found(app: Flask, odd: str) -> None:
    ann = person(app, "ann")
    for rule, method in calls_with_ids(app):
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<uuid:{name}>", odd)
        assert_problem(ann.call(method, path), 404)
