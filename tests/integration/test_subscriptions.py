"""Subscriptions: what a team makes of them, what is refused, and how it is seen that one does not work."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from standardwebhooks import Webhook, WebhookVerificationError

import alertops
from alertops.models import EventDelivery, Subscription
from alertops.models.timeline import EVENTS
from alertops.services.dispatch import SEND_DELIVERY
from alertops.services.subscriptions import make_subscription
from tests.integration.api_client import Person, a_flow, assert_problem
from tests.integration.conftest import RecordingPublisher
from tests.integration.crew import Crew, audited, crew
from tests.integration.hooking import channel
from tests.integration.raw_http import TAKEN, raw_receiver
from tests.integration.subscribing import Post, bodies, started, subscribe
from tests.integration.test_webhook_secrets import secret_of, verify
from tests.integration.world import World

URL = "https://hooks.example.com/T1/secret-path?token=1"
WANTED = {"name": "Chat", "url": URL}


@pytest.fixture
def team(app: Flask, session: Session) -> Crew:
    return crew(app, session)


def make(team: Crew, **more: Any) -> dict[str, Any]:
    return team.admin.make(f"{team.path}/subscriptions", {**WANTED, **more})


def path(made: dict[str, Any]) -> str:
    return f"/subscriptions/{made['id']}"


def test_a_subscription_is_made_seen_changed_and_deleted(team: Crew) -> None:
    answer = team.admin.post(f"{team.path}/subscriptions", {**WANTED, "events": ["acknowledged", "resolved"]})
    assert answer.status_code == 201
    made = answer.json or {}
    assert answer.headers["Location"].endswith(f"/api/v1{path(made)}")
    untold = dict.fromkeys(("disabled_because", "last_success_at", "last_failure_at", "last_failure"))
    given = {name: made[name] for name in (*untold, "given_up", "enabled", "events", "url", "created_by")}
    assert given == {
        **untold,
        "given_up": 0,
        "enabled": True,
        "events": ["acknowledged", "resolved"],
        "url": URL,
        "created_by": str(team.admin.id),
    }
    assert team.viewer.get(path(made)).json == made
    assert team.viewer.get(f"{team.path}/subscriptions").json == {"items": [made], "next_cursor": None}
    changed = team.admin.call("PATCH", path(made), {"name": "Pager", "events": None, "enabled": False})
    assert changed.json == {**made, "name": "Pager", "events": None, "enabled": False}
    assert team.admin.call("DELETE", path(made)).status_code == 204
    assert_problem(team.admin.get(path(made)), 404)
    assert_problem(team.admin.call("DELETE", path(made)), 404)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"url": "ftp://example.com/"}, "/url"),
        ({"url": "https://user:s3cret@example.com/"}, "/url"),
        ({"url": None}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["exploded"]}, "/events/0"),
        ({"events": ["note", "note"]}, "/events/1"),
        ({"events": "note"}, "/events"),
        ({"enabled": 1}, "/enabled"),
        ({"enabled": "true"}, "/enabled"),
        ({"given_up": 0}, "/given_up"),
    ],
)
def test_what_cannot_be_is_refused_by_its_place(team: Crew, changes: dict[str, Any], pointer: str) -> None:
    refused = assert_problem(team.admin.post(f"{team.path}/subscriptions", {**WANTED, **changes}), 422)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]
    made = make(team)
    refused = assert_problem(team.admin.call("PATCH", path(made), changes), 422)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]
    assert team.admin.get(path(made)).json == made


def test_a_network_of_ours_is_refused_when_it_is_told_as_for_webhooks(world: World) -> None:
    """What a name leads to can change any day: it is looked at for each conversation, not here."""
    with raw_receiver(TAKEN) as receiver:
        subscription = subscribe(world, receiver.url("/secret-path"))
        started(world)
        Post(world, channel(allowed=None)).run()  # type: ignore[arg-type]  # it tells events, too
        assert receiver.connections == 0
    world.session.refresh(subscription)
    assert "is not a public address" in (subscription.last_failure or "")
    assert "secret-path" not in (subscription.last_failure or "")


def test_changes_are_told_in_the_audit_log_without_what_is_secret_in_a_url(
    team: Crew, session: Session
) -> None:
    made = make(team)
    team.admin.call("PATCH", path(made), {"url": "https://hooks.example.com/T2/another-secret"})
    team.admin.call("PATCH", path(made), {"url": "https://hooks.example.com/T2/another-secret"})
    team.admin.call("DELETE", path(made))
    told = [action for action in audited(session) if action.startswith("subscription.")]
    assert told == ["subscription.made", "subscription.changed", "subscription.deleted"]
    stored = " ".join(session.scalars(text("SELECT a::text FROM audit_log a")))
    assert "hooks.example.com" in stored
    assert "secret" not in stored.replace("webhook_secret", "")


def test_what_is_sent_again_makes_one(team: Crew) -> None:
    key = {"Idempotency-Key": "once"}
    first, again = (team.admin.post(f"{team.path}/subscriptions", WANTED, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json == again.json
    assert len((team.viewer.get(f"{team.path}/subscriptions").json or {})["items"]) == 1


def test_a_team_has_so_many_and_no_more(team: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_subscription, "MAX_SUBSCRIPTIONS", 1)
    made = make(team)
    problem = assert_problem(team.admin.post(f"{team.path}/subscriptions", WANTED), 409)
    assert problem["current"] == {"subscriptions": 1}
    team.admin.call("DELETE", path(made))
    make(team)


def test_members_see_them_and_do_not_change_them(team: Crew) -> None:
    made = make(team)
    assert_problem(team.member.post(f"{team.path}/subscriptions", WANTED), 403)
    assert_problem(team.member.call("PATCH", path(made), {"enabled": False}), 403)
    assert_problem(team.member.call("DELETE", path(made)), 403)
    assert (team.member.get(path(made)).json or {})["enabled"] is True


def test_whoever_enables_it_again_forgets_why_it_was_not(team: Crew, session: Session) -> None:
    made = make(team)
    row = session.get_one(Subscription, UUID(made["id"]))
    row.enabled, row.disabled_because = False, "The receiver is gone: 410 Gone"
    session.commit()
    gone = team.viewer.get(path(made)).json or {}
    assert (gone["enabled"], gone["disabled_because"]) == (False, "The receiver is gone: 410 Gone")
    assert (team.admin.call("PATCH", path(made), {"enabled": True}).json or {})["disabled_because"] is None


def raised(owner: Person, team: Crew) -> str:
    flow = owner.make(f"{team.path}/flows", a_flow())["id"]
    return str(owner.make(f"/flows/{flow}/executions", {"summary": "disk full"})["id"])


def test_what_people_do_is_told_also_where_nothing_else_follows_from_it(
    team: Crew, session: Session, publisher: RecordingPublisher
) -> None:
    """Behind the wall of the API, in each of its requests."""
    make(team)
    execution = raised(team.owner, team)
    assert team.member.post(f"/executions/{execution}/acknowledge").status_code == 200
    assert team.member.post(f"/executions/{execution}/notes", {"text": "mine"}).status_code == 201
    written = session.scalars(select(EventDelivery).order_by(EventDelivery.position)).all()
    assert len(written) == 3
    woken = [message.args[0] for message in publisher.messages if message.task == SEND_DELIVERY]
    assert woken == [str(delivery.id) for delivery in written]
    assert all(delivery.dispatched_at for delivery in written)


def test_a_team_that_is_deleted_tells_nobody_any_more(team: Crew, session: Session) -> None:
    make(team)
    raised(team.owner, team)
    assert team.owner.call("DELETE", team.path).status_code == 200
    assert session.scalars(select(Subscription)).all() == []


def test_the_library_that_receivers_use_verifies_what_they_are_told(world: World) -> None:
    secret = secret_of(world)
    with raw_receiver(TAKEN) as receiver:
        subscribe(world, receiver.url())
        started(world)
        Post(world).run()
    assert verify(receiver, secret) == bodies(receiver)[0]
    forged = receiver.requests[0].body.replace(b"running", b"resolved")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(forged, receiver.requests[0].headers)


def test_whatever_a_timeline_tells_can_be_subscribed_to() -> None:
    """Each name that is written in the services, as a text or as the end of an attempt."""
    written: set[str] = set()
    for file in (Path(alertops.__file__).parent / "services").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                written |= _event_of(node)
    assert {"started", "step_fired", "note"} <= written
    assert written <= set(EVENTS)


def _event_of(call: ast.Call) -> set[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name == "tell" and len(call.args) > 2:
        told = call.args[2]
    elif name == "Entry":
        told = call.args[1]
    elif name == "TimelineEntry":
        told = next(keyword.value for keyword in call.keywords if keyword.arg == "event")
    else:
        return set()
    return {told.value} if isinstance(told, ast.Constant) else set()
