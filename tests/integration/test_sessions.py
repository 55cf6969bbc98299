"""Sessions: refresh tokens that rotate, and logging out that holds at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from alertops.errors import AuthenticationError
from alertops.models import LoginSession, User
from alertops.services.authenticate import authenticate
from alertops.services.end_sessions import end_all_sessions, end_session
from alertops.services.open_session import MAX_SESSIONS, Client, OpenSession, open_session, sessions_of
from alertops.services.passwords import hash_password
from alertops.services.refresh_session import GRACE, refresh_session
from alertops.services.refresh_token import RefreshToken
from tests.integration.api_client import API, Person, assert_problem, person
from tests.integration.world import Queue

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


# ---- at once


class Refreshing:
    """A session, and what may race for its row. `at` is the token that is good now."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        with sessions() as session:
            user = User(email="ann@example.org", name="Ann", password_hash="cannot log in")
            session.add(user)
            session.commit()
            self.user_id = user.id
            self.opened = open_session(session, user.id, Client(), MONTH)

    def queue(self) -> Queue:
        row = select(LoginSession).where(LoginSession.id == self.opened.id).with_for_update()
        return Queue(self.sessions, lambda holder: holder.execute(row).all())

    def refresh(self, session: Session) -> OpenSession | None:
        try:
            return refresh_session(session, self.opened.refresh_token, Client(), MONTH)
        except AuthenticationError:
            return None

    def logout(self, session: Session) -> bool:
        return end_session(session, self.user_id, self.opened.id)

    def rows(self) -> list[LoginSession]:
        with self.sessions() as session:
            return list(session.scalars(select(LoginSession)))


@pytest.fixture
def refreshing(sessions: Sessions) -> Refreshing:
    return Refreshing(sessions)


def test_refreshes_at_once_with_one_token_get_one_successor(refreshing: Refreshing) -> None:
    with refreshing.queue() as queue:
        futures = [queue.submit(refreshing.refresh) for _ in range(8)]
    answers = [future.result() for future in futures]
    successors = {answer.refresh_token.as_text() for answer in answers if answer is not None}
    assert len(successors) == 1
    assert None not in answers
    (row,) = refreshing.rows()
    token = RefreshToken.parse(successors.pop())
    assert token is not None
    assert row.current_hash == token.secret_hash


def test_a_logout_before_a_refresh_leaves_the_refresh_nothing(refreshing: Refreshing) -> None:
    with refreshing.queue() as queue:
        logout = queue.submit(refreshing.logout)
        refresh = queue.submit(refreshing.refresh)
    assert logout.result()
    assert refresh.result() is None
    assert refreshing.rows() == []


def test_a_logout_after_a_refresh_ends_the_successor_too(refreshing: Refreshing) -> None:
    with refreshing.queue() as queue:
        refresh = queue.submit(refreshing.refresh)
        logout = queue.submit(refreshing.logout)
    assert refresh.result() is not None
    assert logout.result()
    assert refreshing.rows() == []


def test_a_spent_token_that_meets_a_logout_is_refused_like_any(refreshing: Refreshing) -> None:
    with refreshing.sessions() as session:
        successor = refresh_session(session, refreshing.opened.refresh_token, Client(), MONTH)
        refresh_session(session, successor.refresh_token, Client(), MONTH)
    with refreshing.queue() as queue:
        logout = queue.submit(refreshing.logout)
        reuse = queue.submit(refreshing.refresh)
    assert logout.result()
    assert reuse.result() is None


def test_refreshes_and_logouts_in_any_order_leave_nothing(refreshing: Refreshing) -> None:
    """No forced order: whichever way they meet, after the logout there is no session."""
    for _ in range(20):
        with refreshing.sessions() as session:
            refreshing.opened = open_session(session, refreshing.user_id, Client(), MONTH)
        barrier = Barrier(3)

        def at_once(act: Callable[[Session], object], barrier: Barrier = barrier) -> None:
            with refreshing.sessions() as session:
                barrier.wait()
                act(session)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(at_once, (refreshing.refresh, refreshing.refresh, refreshing.logout)))
        assert refreshing.opened.id not in {row.id for row in refreshing.rows()}


def test_a_login_that_meets_a_password_change_does_not_survive_it(
    session: Session, sessions: Sessions
) -> None:
    """The login verified the old password; the change commits before the login's session is opened."""
    session.add(User(email="ann@example.org", name="Ann", password_hash=hash_password("the old password")))
    session.commit()

    def change(holder: Session) -> None:
        user_id = holder.scalars(select(User.id)).one()
        holder.execute(update(User).values(password_hash=hash_password("the new password")))
        end_all_sessions(holder, user_id)

    def log_in(own: Session) -> str:
        try:
            user_id = authenticate(own, email="ann@example.org", password="the old password")
        except AuthenticationError:
            return "refused"
        open_session(own, user_id, Client(), MONTH)
        return "logged in"

    with Queue(sessions, change) as queue:
        login = queue.submit(log_in)
        queue.holder.commit()
        assert login.result() == "refused"
    assert session.scalar(select(func.count()).select_from(LoginSession)) == 0
