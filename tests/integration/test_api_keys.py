"""API keys: shown once, within their scopes, and gone at once when they are revoked."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from alertops.errors import ConflictError
from alertops.models import ApiKey, AuditEntry, Execution, FlowRevision, TimelineEntry
from alertops.services.access.api_key_text import ApiKeyText
from alertops.services.access.permissions import Action
from alertops.services.teams.make_api_key import MAX_LIVE_KEYS, make_api_key
from tests.integration.api_client import API, a_flow, assert_problem, person
from tests.integration.crew import Crew, asks, audited, crew, join, team_queue

Sessions = sessionmaker[Session]
OPENED = "SELECT last_used_at FROM api_keys"


@pytest.fixture
def team(app: Flask, session: Session) -> Crew:
    return crew(app, session)


def make(team: Crew, *scopes: str, **more: Any) -> dict[str, Any]:
    return team.admin.make(f"{team.path}/api-keys", {"name": "CI", "scopes": [*scopes], **more})


def call(team: Crew, key: str, method: str, path: str, body: Any = None) -> TestResponse:
    headers = {"Authorization": f"Bearer {key}"}
    return team.admin.client.open(API + path, method=method, headers=headers, json=body)


def assert_not_valid(answer: TestResponse) -> None:
    """As for any token that is none."""
    assert assert_problem(answer, 401)["detail"] == "The token is not valid here."
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_key_is_shown_once_and_stored_as_a_hash_alone(team: Crew, session: Session) -> None:
    answer = team.admin.post(f"{team.path}/api-keys", {"name": "CI", "scopes": ["read", "trigger"]})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    made = answer.json or {}
    key = made.pop("key")
    assert re.fullmatch(r"aok_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", key)
    assert (made["prefix"], made["scopes"], made["created_by"]) == (
        key[:12],
        ["read", "trigger"],
        str(team.admin.id),
    )
    assert made["expires_at"] is made["last_used_at"] is made["revoked_at"] is None
    row = session.scalars(select(ApiKey)).one()
    assert row.hash == hashlib.sha256(key.encode()).digest()
    secret = key[13:]
    for table in ("api_keys", "audit_log"):
        stored = session.scalars(text(f"SELECT t::text FROM {table} t")).all()
        assert not any(secret in line for line in stored)
    assert team.admin.get(f"{team.path}/api-keys").json == {"items": [made], "next_cursor": None}


def test_a_key_has_no_representation_that_could_end_in_a_log() -> None:
    key = ApiKeyText.new()
    assert key.text not in repr(key)
    assert ApiKeyText.parse(key.text) == key
    assert ApiKeyText.parse(key.text + "\n") is ApiKeyText.parse(key.text[:-1]) is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scopes": ["read"]}, "/name"),
        ({"name": "CI"}, "/scopes"),
        ({"name": "CI", "scopes": []}, "/scopes"),
        ({"name": "CI", "scopes": ["admin"]}, "/scopes/0"),
        ({"name": "CI", "scopes": ["read", "read"]}, "/scopes"),
        ({"name": "CI", "scopes": ["read"], "expires_in_seconds": 1}, "/expires_in_seconds"),
        ({"name": "CI", "scopes": ["read"], "expires_in_seconds": 10**12}, "/expires_in_seconds"),
        ({"name": "CI", "scopes": ["read"], "hash": "00"}, "/hash"),
    ],
)
def test_what_a_key_cannot_be_is_refused(team: Crew, body: dict[str, Any], pointer: str) -> None:
    problem = assert_problem(team.admin.post(f"{team.path}/api-keys", body), 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_a_key_does_what_its_scopes_say_in_its_team_alone(team: Crew, app: Flask) -> None:
    flow = team.owner.make(f"{team.path}/flows", a_flow())["id"]
    other = person(app, "other")
    elsewhere = other.make("/teams", {"name": "Elsewhere"})["id"]
    alert = {"summary": "disk full"}
    for scope, seen, raised, made in (
        ("read", 200, 403, 403),
        ("trigger", 403, 202, 403),
        ("manage", 200, 202, 201),
    ):
        key = make(team, scope)["key"]
        assert call(team, key, "GET", f"/flows/{flow}").status_code == seen
        assert call(team, key, "POST", f"/flows/{flow}/executions", alert).status_code == raised
        assert call(team, key, "POST", f"{team.path}/flows", a_flow()).status_code == made
        assert_problem(call(team, key, "GET", f"/teams/{elsewhere}"), 404)
        problem = assert_problem(call(team, key, "GET", f"{team.path}/audit-log"), 403)
        assert "takes a person, not a key" in problem["detail"]


def test_what_a_program_did_is_told_under_the_id_of_its_key(team: Crew, session: Session) -> None:
    made = make(team, "manage")
    flow = (call(team, made["key"], "POST", f"{team.path}/flows", a_flow()).json or {})["id"]
    execution = (
        call(team, made["key"], "POST", f"/flows/{flow}/executions", {"summary": "disk full"}).json or {}
    )
    answered = call(team, made["key"], "POST", f"/executions/{execution['id']}/acknowledge")
    assert (answered.json or {})["acknowledged_by"] == made["id"]
    key_id = UUID(made["id"])
    assert set(session.scalars(select(TimelineEntry.actor_id))) == {key_id}
    assert session.scalars(select(FlowRevision.author_id)).all() == [key_id]
    assert session.scalars(select(Execution.acknowledged_by)).all() == [key_id]
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "flow.created")).one()
    assert (entry.actor_kind, entry.actor_id) == ("api_key", key_id)


def test_a_key_is_nobody_on_the_routes_of_people(team: Crew) -> None:
    key = make(team, "manage")["key"]
    for method, path in (("GET", "/me"), ("GET", "/teams"), ("POST", "/teams"), ("POST", "/auth/logout")):
        problem = assert_problem(
            call(team, key, method, path, {"name": "x"} if method == "POST" else None), 403
        )
        assert problem["detail"] == "This is for people who are logged in; a key acts for its team alone."


def test_a_revoked_an_expired_and_an_unknown_key_are_the_same_401(team: Crew, session: Session) -> None:
    revoked, expired = make(team, "read"), make(team, "read", expires_in_seconds=3600)
    for made in (revoked, expired):
        assert call(team, made["key"], "GET", team.path).status_code == 200
    for _ in range(2):  # safe to repeat
        assert team.admin.call("DELETE", f"{team.path}/api-keys/{revoked['id']}").status_code == 204
    session.execute(
        update(ApiKey).where(ApiKey.id == expired["id"]).values(expires_at=func.now() - timedelta(seconds=1))
    )
    session.commit()
    for key in (
        revoked["key"],
        expired["key"],
        ApiKeyText.new().text,
        "aok_",
        "aok_nonsense",
        revoked["prefix"],
    ):
        assert_not_valid(call(team, key, "GET", team.path))
    assert audited(session) == ["team.created", "api_key.made", "api_key.made", "api_key.revoked"]


def test_a_key_of_another_team_is_not_revoked(team: Crew, app: Flask) -> None:
    key = make(team, "read")
    other = person(app, "other")
    elsewhere = other.make("/teams", {"name": "Elsewhere"})["id"]
    for key_id in (key["id"], uuid4()):
        assert_problem(other.call("DELETE", f"/teams/{elsewhere}/api-keys/{key_id}"), 404)
    assert call(team, key["key"], "GET", team.path).status_code == 200


def test_a_key_does_not_survive_its_team_and_survives_who_made_it(team: Crew, session: Session) -> None:
    key = make(team, "read")["key"]
    assert team.owner.call("DELETE", team.member_path(team.admin)).status_code == 204
    assert call(team, key, "GET", team.path).status_code == 200
    assert team.owner.call("DELETE", team.path).status_code == 200
    assert_not_valid(call(team, key, "GET", team.path))
    # Also if nobody had revoked it.
    session.execute(update(ApiKey).values(revoked_at=None, revoked_by=None))
    session.commit()
    assert_not_valid(call(team, key, "GET", team.path))


def test_when_a_key_was_used_last_is_noted_once_a_minute(team: Crew, session: Session) -> None:
    key = make(team, "read")["key"]
    noted = []
    for moved_seconds in (0, 0, 59, 2):
        session.execute(
            text("UPDATE api_keys SET last_used_at = last_used_at - make_interval(secs => :by)"),
            {"by": moved_seconds},
        )
        session.commit()
        before = session.scalar(text(OPENED))
        assert call(team, key, "GET", team.path).status_code == 200
        session.rollback()
        noted.append(session.scalar(text(OPENED)) != before)
    assert noted == [True, False, False, True]


def test_a_key_whose_row_somebody_holds_opens_all_the_same(team: Crew, session: Session) -> None:
    key = make(team, "read")["key"]
    session.scalars(select(ApiKey).with_for_update()).all()
    assert call(team, key, "GET", team.path).status_code == 200
    session.rollback()
    assert session.scalar(text(OPENED)) is None


def test_of_two_who_make_the_last_key_at_once_one_does(
    team: Crew, session: Session, sessions: Sessions
) -> None:
    about = {
        "team_id": team.team,
        "name": "x",
        "prefix": "aok_x",
        "scopes": ["read"],
        "created_by": team.owner.id,
    }
    rows = [{**about, "hash": hashlib.sha256(bytes([n])).digest()} for n in range(MAX_LIVE_KEYS + 1)]
    session.execute(insert(ApiKey), rows)
    # Those that are over do not count.
    session.execute(update(ApiKey).where(ApiKey.hash == rows[0]["hash"]).values(revoked_at=func.now()))
    past = func.now() - timedelta(seconds=1)
    session.execute(update(ApiKey).where(ApiKey.hash == rows[1]["hash"]).values(expires_at=past))
    session.commit()

    def one_more(own: Session) -> bool:
        try:
            make_api_key(own, asks(team.admin, Action.MANAGE_KEYS), team.team, name="y", scopes=["read"])  # type: ignore[list-item]
        except ConflictError:
            return False
        return True

    with team_queue(sessions, team.team) as queue:
        making = [queue.submit(one_more) for _ in range(2)]
    assert [future.result() for future in making] == [True, False]
    problem = assert_problem(team.admin.post(f"{team.path}/api-keys", {"name": "z", "scopes": ["read"]}), 409)
    assert problem["current"] == {"keys": MAX_LIVE_KEYS}


def test_keys_are_listed_page_by_page_newest_first(team: Crew) -> None:
    ids = [make(team, "read")["id"] for _ in range(3)]
    first = team.admin.get(f"{team.path}/api-keys?limit=2").json or {}
    rest = team.admin.get(f"{team.path}/api-keys?limit=2&cursor={first['next_cursor']}").json or {}
    assert [key["id"] for key in first["items"] + rest["items"]] == ids[::-1]
    assert "key" not in first["items"][0]
    assert "hash" not in first["items"][0]


def test_a_scope_grants_nothing_to_who_holds_another_role(team: Crew, app: Flask, session: Session) -> None:
    """A key and a person are not mixed up: a person's role counts, whatever keys they made."""
    made = make(team, "manage")
    ann = person(app, "ann")
    join(session, team.team, ann, "viewer")
    assert_problem(ann.call("DELETE", f"{team.path}/api-keys/{made['id']}"), 403)
    assert_problem(ann.post(f"{team.path}/flows", a_flow()), 403)
