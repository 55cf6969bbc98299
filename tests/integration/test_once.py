"""`Idempotency-Key`: whoever did not hear the answer asks again, and nothing is done a second time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from alertops.models import ApiKey, RequestKey, Team
from alertops.secret_box import SecretBox, new_key
from alertops.services.access.once import KEPT_FOR
from tests.integration.api_client import Person, a_flow, assert_problem, person
from tests.integration.doors import executions

ALERT = {"summary": "disk full"}


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def flow(ann: Person) -> str:
    team = ann.make("/teams", {"name": "Operations"})["id"]
    return str(ann.make(f"/teams/{team}/flows", a_flow())["id"])


def ask(who: Person, path: str, body: Any, key: str = "k1") -> TestResponse:
    return who.post(path, body, headers={"Idempotency-Key": key})


def raise_alert(who: Person, flow: str, key: str = "k1", **more: Any) -> TestResponse:
    return ask(who, f"/flows/{flow}/executions", {**ALERT, **more}, key)


def test_what_is_sent_again_is_answered_as_before(ann: Person, flow: str, session: Session) -> None:
    first, again = (raise_alert(ann, flow) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.data == first.data
    assert again.headers["Location"] == first.headers["Location"]
    assert again.content_type == first.content_type
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert raise_alert(ann, flow, "k2").json != first.json
    assert len(executions(session)) == 2


@pytest.mark.parametrize("what", ["teams", "flows", "api-keys", "invitations", "integrations"])
def test_whatever_is_made_is_made_once(app: Flask, session: Session, what: str) -> None:
    """Also where the service commits several times, or leaves the wall."""
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    flow = ann.make(f"/teams/{team}/flows", a_flow())["id"]
    bodies: dict[str, Any] = {
        "teams": {"name": "Another"},
        "flows": a_flow(),
        "api-keys": {"name": "CI", "scopes": ["read"]},
        "invitations": {"email": "ben@example.org", "role": "viewer"},
        "integrations": {"kind": "generic", "name": "x", "flow_id": flow},
    }
    path = "/teams" if what == "teams" else f"/teams/{team}/{what}"
    first, again = (ask(ann, path, bodies[what]) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.json == again.json
    listed = ann.get(path).json or {}
    assert [item["id"] for item in listed["items"]].count((first.json or {})["id"]) == 1
    made = {"teams": 2, "flows": 2}.get(what, 1)
    assert len(listed["items"]) == made


def test_another_request_under_the_same_key_is_refused(ann: Person, flow: str, session: Session) -> None:
    assert raise_alert(ann, flow).status_code == 202
    assert_problem(raise_alert(ann, flow, summary="other"), 422)
    assert_problem(ask(ann, "/teams", {"name": "Another"}), 422)
    assert len(executions(session)) == 1


def test_a_key_is_of_whoever_uses_it(app: Flask, ann: Person, flow: str, session: Session) -> None:
    ben = person(app, "ben")
    first = ask(ann, "/teams", {"name": "Same"})
    second = ask(ben, "/teams", {"name": "Same"})
    assert first.status_code == second.status_code == 201
    assert (first.json or {})["id"] != (second.json or {})["id"]


def test_what_was_refused_or_did_nothing_leaves_the_key_free(
    ann: Person, flow: str, session: Session
) -> None:
    assert_problem(raise_alert(ann, flow, severity="odd"), 422)
    assert_problem(ask(ann, f"/flows/{ann.id}/executions", ALERT), 404)
    assert session.scalars(select(RequestKey)).all() == []
    assert raise_alert(ann, flow).status_code == 202


def test_of_two_at_the_same_moment_one_is_done(ann: Person, flow: str, session: Session) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: raise_alert(ann, flow), range(8)))
    assert len(executions(session)) == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    done = {answer.data for answer in answers if answer.status_code == 202}
    assert len(done) == 1
    assert {answer.headers.get("Retry-After") for answer in answers if answer.status_code == 409} <= {"1"}


def test_what_was_done_and_not_answered_is_said_and_not_done_again(
    app: Flask, ann: Person, flow: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between the commit and the answer: the row is there, without one."""
    with monkeypatch.context() as patched:
        patched.setattr("api.once.keep_answer", lambda *_: None)
        assert raise_alert(ann, flow).status_code == 202
    assert "the answer is lost" in assert_problem(raise_alert(ann, flow), 409)["detail"]
    assert raise_alert(ann, flow, "k2").status_code == 202
    monkeypatch.setitem(app.extensions, "alertops.secret_box", SecretBox([new_key()]))
    assert_problem(raise_alert(ann, flow, "k2"), 409)
    assert len(executions(session)) == 2


def test_what_fails_before_its_commit_leaves_no_row(
    app: Flask, ann: Person, flow: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.testing = False

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("before the commit")

    with monkeypatch.context() as patched:
        patched.setattr("alertops.services.start_executions.commit", fail)
        assert_problem(raise_alert(ann, flow), 500)
    assert raise_alert(ann, flow).status_code == 202
    assert len(executions(session)) == 1


def test_after_a_day_a_key_is_forgotten_and_its_row_goes(ann: Person, flow: str, session: Session) -> None:
    raise_alert(ann, flow)
    raise_alert(ann, flow, "k2")
    session.execute(update(RequestKey).values(created_at=RequestKey.created_at - KEPT_FOR))
    session.commit()
    assert raise_alert(ann, flow).status_code == 202
    session.rollback()
    assert len(session.scalars(select(RequestKey.id)).all()) == 1
    assert len(executions(session)) == 3


def test_no_secret_is_readable_in_what_is_kept(ann: Person, session: Session) -> None:
    team = ann.make("/teams", {"name": "Operations"})["id"]
    made = (
        ask(ann, f"/teams/{team}/api-keys", {"name": "Integration", "scopes": ["read"]}, "a-key-of-mine").json
        or {}
    )
    stored = session.scalars(text("SELECT r::text FROM request_keys r")).all()
    assert len(stored) == 1
    assert not any(secret in stored[0] for secret in (made["key"], "a-key-of-mine", "Integration"))
    assert len(session.scalars(select(ApiKey)).all()) == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256])
def test_what_is_no_key_is_refused(ann: Person, session: Session, key: str) -> None:
    assert_problem(ask(ann, "/teams", {"name": "x"}, key), 400)
    assert session.scalars(select(Team)).all() == []
