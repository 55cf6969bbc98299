"""Sessions: refresh tokens that rotate, and logging out that holds at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from alertops.models import LoginSession
from alertops.services.accounts.open_session import MAX_SESSIONS, Client, open_session, sessions_of
from alertops.services.accounts.refresh_session import GRACE
from alertops.services.accounts.refresh_token import RefreshToken
from tests.integration.api_client import API, Person, assert_problem, person

Sessions = sessionmaker[Session]
MONTH = timedelta(days=30)


def refresh(client: FlaskClient, token: str) -> TestResponse:
    return client.post(f"{API}/auth/refresh", headers={"Authorization": f"Bearer {token}"})


def refreshed(client: FlaskClient, token: str) -> dict[str, Any]:
    answer = refresh(client, token)
    assert answer.status_code == 200, answer.text
    pair: dict[str, Any] = answer.json or {}
    return pair


def works(client: FlaskClient, access_token: str) -> bool:
    answer = client.get(f"{API}/me", headers={"Authorization": f"Bearer {access_token}"})
    if answer.status_code != 200:
        assert_problem(answer, 401)
    return answer.status_code == 200


def pass_time(session: Session, by: timedelta) -> None:
    """Every session was opened and refreshed earlier by this."""
    session.execute(
        update(LoginSession).values(
            created_at=LoginSession.created_at - by,
            refreshed_at=LoginSession.refreshed_at - by,
            expires_at=LoginSession.expires_at - by,
        )
    )
    session.commit()


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


def test_a_refresh_answers_a_pair_and_the_session_goes_on(client: FlaskClient, ann: Person) -> None:
    token = ann.refresh_token
    for _ in range(3):
        answer = refresh(client, token)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        pair = answer.json or {}
        assert set(pair) == {"access_token", "token_type", "expires_in", "refresh_token"}
        assert pair["refresh_token"] != token
        assert works(client, pair["access_token"])
        token = pair["refresh_token"]
    assert works(client, ann.token), "the session is the same"


def test_tokens_are_random_and_stored_as_hashes_alone(
    client: FlaskClient, ann: Person, session: Session
) -> None:
    token = RefreshToken.parse(ann.refresh_token)
    assert token is not None
    assert (len(token.family), len(token.secret)) == (32, 32)
    others = {RefreshToken.new().as_text() for _ in range(100)}
    assert len(others) == 100
    after = RefreshToken.parse(refreshed(client, ann.refresh_token)["refresh_token"])
    assert after is not None
    row = session.execute(text("SELECT to_jsonb(login_sessions)::text FROM login_sessions")).scalar_one()
    for secret in (token.family, token.secret, after.secret):
        assert secret.hex() not in row
    assert after.secret_hash.hex() in row
    assert "Refresh" not in repr(token) or token.secret.hex() not in repr(token)


def test_a_spent_token_ends_its_session_and_all_its_tokens_at_once(
    client: FlaskClient, ann: Person, session: Session
) -> None:
    first = refreshed(client, ann.refresh_token)
    second = refreshed(client, first["refresh_token"])
    stolen = refresh(client, ann.refresh_token)
    assert "used before" in assert_problem(stolen, 401)["detail"]
    assert_problem(refresh(client, second["refresh_token"]), 401)
    assert not works(client, second["access_token"])
    assert not works(client, ann.token)
    assert session.scalar(select(func.count()).select_from(LoginSession)) == 0


def test_a_client_that_heard_no_answer_gets_the_same_successor(client: FlaskClient, ann: Person) -> None:
    lost = refreshed(client, ann.refresh_token)
    again = refreshed(client, ann.refresh_token)
    assert again["refresh_token"] == lost["refresh_token"]
    assert works(client, again["access_token"])
    assert refreshed(client, again["refresh_token"])


def test_after_the_grace_a_spent_token_ends_the_session_though_its_successor_is_unused(
    client: FlaskClient, ann: Person, session: Session
) -> None:
    pair = refreshed(client, ann.refresh_token)
    pass_time(session, GRACE + timedelta(seconds=1))
    assert_problem(refresh(client, ann.refresh_token), 401)
    assert_problem(refresh(client, pair["refresh_token"]), 401)


def test_one_session_ends_by_reuse_and_the_others_go_on(app: Flask, ann: Person, session: Session) -> None:
    phone = open_session(session, ann.id, Client(), MONTH)
    first = refreshed(app.test_client(), ann.refresh_token)
    refreshed(app.test_client(), first["refresh_token"])
    assert_problem(refresh(app.test_client(), ann.refresh_token), 401)
    assert [left.id for left in sessions_of(session, ann.id)] == [phone.id]


def test_a_token_of_no_session_ends_nobodys(client: FlaskClient, ann: Person) -> None:
    good = RefreshToken.parse(ann.refresh_token)
    assert good is not None
    made_up = RefreshToken(RefreshToken.new().family, good.secret).as_text()
    for token in (made_up, ann.token, "x", "rft_", ann.refresh_token + "A", ann.refresh_token[:-1], ""):
        answer = refresh(client, token)
        assert_problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert works(client, ann.token)
    assert refreshed(client, ann.refresh_token)


def test_a_refresh_token_opens_no_route_and_an_access_token_refreshes_nothing(
    client: FlaskClient, ann: Person
) -> None:
    assert not works(client, ann.refresh_token)
    assert_problem(refresh(client, ann.token), 401)


def test_a_session_ends_when_it_was_not_refreshed_for_its_lifetime(
    client: FlaskClient, ann: Person, session: Session
) -> None:
    pass_time(session, timedelta(hours=23))
    pair = refreshed(client, ann.refresh_token)
    pass_time(session, timedelta(days=29))
    assert works(client, pair["access_token"]), "the refresh gave it the whole lifetime again"
    pass_time(session, timedelta(days=1, seconds=1))
    assert not works(client, pair["access_token"])
    assert_problem(refresh(client, pair["refresh_token"]), 401)


def test_logout_ends_this_session_at_once_and_no_other(app: Flask, ann: Person, session: Session) -> None:
    phone = open_session(session, ann.id, Client(), MONTH)
    assert ann.post("/auth/logout").status_code == 204
    assert_problem(ann.get("/me"), 401)
    assert_problem(ann.post("/auth/logout"), 401)
    assert_problem(refresh(app.test_client(), ann.refresh_token), 401)
    assert refreshed(app.test_client(), phone.refresh_token.as_text())


def test_logout_everywhere_ends_all_of_mine_and_none_of_others(
    app: Flask, ann: Person, session: Session
) -> None:
    ben = person(app, "ben")
    phone = open_session(session, ann.id, Client(), MONTH)
    assert ann.post("/auth/logout-everywhere").status_code == 204
    assert_problem(ann.get("/me"), 401)
    assert_problem(refresh(app.test_client(), phone.refresh_token.as_text()), 401)
    assert ben.get("/me").status_code == 200


def test_my_sessions_are_listed_and_can_be_ended_one_by_one(
    app: Flask, ann: Person, session: Session
) -> None:
    person(app, "ben")
    phone = open_session(session, ann.id, Client("2001:db8::1", "Phone/1"), MONTH)
    listed = (ann.get("/me/sessions").json or {})["items"]
    assert [(item["id"], item["current"]) for item in listed] == [
        (str(phone.id), False),
        (str(ann.session_id), True),
    ]
    assert (listed[0]["address"], listed[0]["user_agent"]) == ("2001:db8::1", "Phone/1")
    assert "hash" not in str(listed)
    assert ann.call("DELETE", f"/me/sessions/{phone.id}").status_code == 204
    assert_problem(ann.call("DELETE", f"/me/sessions/{phone.id}"), 404)
    assert_problem(refresh(app.test_client(), phone.refresh_token.as_text()), 401)
    assert ann.get("/me").status_code == 200


@pytest.mark.parametrize(
    ("address", "agent", "kept"),
    [
        pytest.param("::ffff:192.0.2.7", "curl/8", ("192.0.2.7", "curl/8"), id="IPv4 in IPv6"),
        pytest.param("fe80::1%eth0", "", ("fe80::1", None), id="IPv6 with a scope"),
        pytest.param("", "x" * 5000, (None, "x" * 200), id="Unix socket"),
        pytest.param("unknown", "a\tb\x7fc", (None, "abc"), id="no address"),
    ],
)
def test_where_a_refresh_came_from_is_kept_as_far_as_it_can_be(
    ann: Person, session: Session, address: str, agent: str, kept: tuple[Any, Any]
) -> None:
    headers = {"Authorization": f"Bearer {ann.refresh_token}", "User-Agent": agent}
    answer = ann.client.post(
        f"{API}/auth/refresh", headers=headers, environ_overrides={"REMOTE_ADDR": address}
    )
    assert answer.status_code == 200, answer.text
    row = session.scalars(select(LoginSession)).one()
    assert (row.address, row.user_agent) == kept


def test_sessions_that_are_over_and_too_many_of_one_person_are_swept(ann: Person, session: Session) -> None:
    pass_time(session, MONTH)
    newest = [open_session(session, ann.id, Client(), MONTH).id for _ in range(MAX_SESSIONS + 5)]
    rows = session.scalars(select(LoginSession.id)).all()
    assert set(rows) == set(newest[5:])
