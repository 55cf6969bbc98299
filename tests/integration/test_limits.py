"""Limits on what is tried: the same for all processes together, and telling nothing about who exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from alertops.models import LoginSession, Throttle, User
from alertops.services.accounts import limits as the_limits
from alertops.services.accounts.limits import Limits, network_of
from alertops.services.accounts.throttle import Limit
from tests.integration.api_client import API, Person, assert_problem, person
from tests.integration.conftest import RecordingPublisher, application

PASSWORD = "correct horse battery staple"
WRONG = "wrong"
BURST = the_limits.LOGIN_STRANGER.burst
MINUTE = timedelta(minutes=1)

_quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alertops.services.accounts.passwords._hasher", _quick)


@pytest.fixture
def ann(app: Flask, session: Session) -> Person:
    """Ann, who has a password and is logged in nowhere."""
    ann = person(app, "ann")
    session.execute(update(User).values(password_hash=_quick.hash(PASSWORD)))
    session.execute(LoginSession.__table__.delete())  # type: ignore[attr-defined]
    session.commit()
    return ann


@pytest.fixture
def apps(app: Flask, database_url: str) -> Iterator[list[Flask]]:
    """Three processes' worth of applications, with pools of their own, on one database."""
    more = [application(database_url, RecordingPublisher()) for _ in range(2)]
    yield [app, *more]
    for other in more:
        with other.app_context():
            other.extensions["sqlalchemy"].engine.dispose()


def login(
    app: Flask,
    password: str = WRONG,
    email: str = "ann@example.org",
    address: str = "192.0.2.1",
    **more: Any,
) -> TestResponse:
    return app.test_client().post(
        f"{API}/auth/login",
        json={"email": email, "password": password},
        environ_overrides={"REMOTE_ADDR": address},
        **more,
    )


def pass_time(session: Session, by: timedelta) -> None:
    session.execute(update(Throttle).values(clear_at=Throttle.clear_at - by))
    session.commit()


def test_an_ipv6_network_counts_as_one_client() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("192.0.2.1") != network_of("192.0.2.2")


# ---- logging in


def test_parallel_wrong_logins_at_several_processes_are_counted_exactly(
    apps: list[Flask], ann: Person
) -> None:
    tries = list(zip(range(45), cycle(apps)))
    with ThreadPoolExecutor(15) as pool:
        statuses = Counter(
            pool.map(lambda tried: login(tried[1], address=f"192.0.2.{tried[0]}").status_code, tries)
        )
    assert statuses == {401: BURST, 429: 45 - BURST}


def test_who_exists_and_who_does_not_is_refused_in_the_same_way(app: Flask, ann: Person) -> None:
    def answers(email: str) -> list[tuple[int, Any]]:
        given = [login(app, email=email) for _ in range(BURST + 1)]
        return [(answer.status_code, {**(answer.json or {}), "detail": ""}) for answer in given]

    known, unknown = answers("ann@example.org"), answers("nobody@example.org")
    assert known == unknown
    assert [status for status, _ in known] == [401] * BURST + [429]


def test_a_throttled_login_says_when_to_come_back_and_any_case_is_the_same_account(
    app: Flask, ann: Person
) -> None:
    for number in range(BURST):
        login(app, email="ANN@example.org" if number % 2 else "ann@Example.org")
    answer = login(app)
    assert_problem(answer, 429)
    assert 55 <= int(answer.headers["Retry-After"]) <= 60


def test_a_correct_password_is_refused_likewise_and_let_in_a_minute_later(
    app: Flask, ann: Person, session: Session
) -> None:
    for _ in range(BURST):
        login(app)
    wrong, right = login(app), login(app, PASSWORD)
    assert assert_problem(wrong, 429).keys() == assert_problem(right, 429).keys()
    pass_time(session, MINUTE)
    assert login(app, PASSWORD).status_code == 200


def test_good_logins_do_not_count(app: Flask, ann: Person) -> None:
    bursts = (the_limits.LOGIN_ADDRESS, the_limits.LOGIN_AT_HOME, the_limits.LOGIN_STRANGER)
    for _ in range(max(limit.burst for limit in bursts) + 5):
        assert login(app, PASSWORD).status_code == 200


def test_an_attacker_does_not_lock_the_owner_out_where_they_have_a_session(app: Flask, ann: Person) -> None:
    home = "198.51.100.7"
    assert login(app, PASSWORD, address=home).status_code == 200
    for number in range(BURST + 5):
        login(app, address=f"192.0.2.{number}")
    assert login(app, PASSWORD, address="192.0.2.200").status_code == 429
    assert login(app, PASSWORD, address=home).status_code == 200
    burst = the_limits.LOGIN_AT_HOME.burst
    wrong_at_home = [login(app, address=home).status_code for _ in range(burst + 1)]
    assert wrong_at_home == [401] * burst + [429]


def test_one_address_cannot_try_many_accounts(
    app: Flask, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(the_limits, "LOGIN_ADDRESS", Limit("login from", burst=5, interval=MINUTE))
    statuses = [login(app, email=f"user{n}@example.org").status_code for n in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert login(app, PASSWORD, address="192.0.2.2").status_code == 200


def test_a_new_try_keeps_no_address_in_clear(app: Flask, ann: Person, session: Session) -> None:
    login(app, email="my secret password")
    stored = session.execute(text("SELECT string_agg(to_jsonb(throttles)::text, ' ') FROM throttles"))
    assert b"my secret password".hex() not in stored.scalar_one()


# ---- the client's address


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        pytest.param("0", "203.0.113.9", "10.0.0.1", id="nobody is believed"),
        pytest.param("1", "203.0.113.9", "203.0.113.9", id="one proxy"),
        pytest.param("1", "6.6.6.6, 203.0.113.9", "203.0.113.9", id="the client wrote the first"),
        pytest.param("2", "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9", id="two proxies"),
        pytest.param("1", "unknown", None, id="no address"),
    ],
)
def test_only_trusted_proxies_are_believed(
    ann: Person, session: Session, proxies: str, forwarded: str, seen: str | None
) -> None:
    database_url = session.get_bind().url.render_as_string(hide_password=False)  # type: ignore[union-attr]
    app = application(database_url, RecordingPublisher(), ALERTOPS_TRUSTED_PROXIES=proxies)
    answer = login(app, PASSWORD, address="10.0.0.1", headers={"X-Forwarded-For": forwarded})
    assert answer.status_code == 200
    assert session.scalars(select(LoginSession.address)).one() == seen
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


# ---- the other routes


def test_registrations_are_limited_by_client_address(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(the_limits, "REGISTER_ADDRESS", Limit("register from", burst=3, interval=MINUTE))

    def register(number: int, address: str = "192.0.2.1") -> int:
        body = {"email": f"user{number}@example.org", "name": "User", "password": PASSWORD}
        answer = app.test_client().post(
            f"{API}/auth/register", json=body, environ_overrides={"REMOTE_ADDR": address}
        )
        return answer.status_code

    assert [register(number) for number in range(5)] == [202, 202, 202, 429, 429]
    assert register(9, "192.0.2.2") == 202


def test_refreshes_are_limited_by_session_and_bad_ones_by_client_address(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(the_limits, "REFRESH_ADDRESS", Limit("refresh from", burst=5, interval=MINUTE))
    monkeypatch.setattr(the_limits, "REFRESH_SESSION", Limit("refresh of", burst=8, interval=MINUTE))
    token, client = person(app, "ann").refresh_token, app.test_client()

    def refresh(token: str) -> TestResponse:
        return client.post(f"{API}/auth/refresh", headers={"Authorization": f"Bearer {token}"})

    for _ in range(8):
        token = (refresh(token).json or {})["refresh_token"]
    assert_problem(refresh(token), 429)
    other = person(app, "ben").refresh_token
    bad = [refresh(other[:-20] + "A" * 20).status_code for _ in range(1)]
    unknown = [refresh("rft_" + f"{number:086}").status_code for number in range(6)]
    assert bad + unknown == [401] * 5 + [429] * 2


def test_whoever_holds_a_token_cannot_guess_the_password_with_it(app: Flask, session: Session) -> None:
    ann = person(app, "ann")
    burst = the_limits.PASSWORD.burst
    session.execute(update(User).values(password_hash=_quick.hash(PASSWORD)))
    session.commit()
    guesses = [
        ann.call("DELETE", "/me", {"password": "wrong"}).status_code
        if number % 2
        else ann.post(
            "/me/password", {"current_password": "wrong", "new_password": "another password"}
        ).status_code
        for number in range(burst + 2)
    ]
    assert guesses == [422] * burst + [429] * 2
    assert ann.call("DELETE", "/me", {"password": PASSWORD}).status_code == 429
    pass_time(session, MINUTE)
    assert ann.call("DELETE", "/me", {"password": PASSWORD}).status_code == 204


def test_limits_of_two_applications_with_the_same_keys_count_together(session: Session) -> None:
    one, other, stranger = Limits(b"same"), Limits(b"same"), Limits(b"not the same")
    keys = [[count.key for count in limits.register("Ann@example.org", None)] for limits in (one, other)]
    assert keys[0] == keys[1]
    assert [count.key for count in stranger.register("Ann@example.org", None)] != keys[0]
