"""Accounts: one for each address, and a login that tells an attacker nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from alertops.db import Base
from alertops.models import User
from alertops.services.accounts.refresh_token import RefreshToken
from tests.integration.api_client import API, assert_problem, person

PASSWORD = "correct horse battery staple"


def register(client: FlaskClient, email: str = "ann@example.org", password: str = PASSWORD) -> TestResponse:
    body = {"email": email, "name": "Ann", "password": password}
    return client.post(f"{API}/auth/register", json=body)


def login(client: FlaskClient, email: str = "ann@example.org", password: str = PASSWORD) -> TestResponse:
    return client.post(f"{API}/auth/login", json={"email": email, "password": password})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_who_registers_can_log_in_and_see_themselves(client: FlaskClient) -> None:
    registered = register(client)
    assert registered.status_code == 202
    assert registered.json == {"email": "ann@example.org", "name": "Ann"}
    tokens = login(client).json
    assert tokens is not None
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 15 * 60
    me = client.get(f"{API}/me", headers=bearer(tokens["access_token"]))
    assert me.json is not None
    assert set(me.json) == {"id", "email", "email_verified", "name", "created_at", "memberships"}
    assert me.json.items() >= {**registered.json, "email_verified": False, "memberships": []}.items()


def test_the_password_is_kept_as_an_argon2id_hash_alone(client: FlaskClient, session: Session) -> None:
    register(client)
    user = session.scalars(select(User)).one()
    assert user.password_hash.startswith("$argon2id$")
    assert PASSWORD not in user.password_hash


def test_an_address_is_kept_as_typed_and_taken_in_any_case(client: FlaskClient) -> None:
    assert (register(client, "Ann@Example.org").json or {})["email"] == "Ann@Example.org"
    other = "another password altogether"
    assert register(client, "aNN@example.ORG", other).status_code == 202
    assert login(client, "ANN@EXAMPLE.ORG").status_code == 200
    assert login(client, password=other).status_code == 401


def test_of_those_who_race_for_an_address_one_gets_it(app: Flask, session: Session) -> None:
    def attempt(number: int) -> int:
        email = "ann@example.org" if number % 2 else "ANN@example.org"
        return register(app.test_client(), email, f"{PASSWORD} {number}").status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(attempt, range(8))) == {202}
    assert session.scalar(select(func.count()).select_from(User)) == 1
    passwords = [login(app.test_client(), password=f"{PASSWORD} {n}").status_code for n in range(8)]
    assert sorted(passwords) == [200] + [401] * 7


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(client: FlaskClient) -> None:
    register(client)
    wrong = login(client, password="not the password at all")
    unknown = login(client, email="nobody@example.org")
    assert assert_problem(wrong, 401) == assert_problem(unknown, 401)


def test_an_unknown_address_takes_as_long_as_a_wrong_password(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, not timed: what takes long is the hash, and one is checked either way."""
    register(client)
    checked: list[str] = []

    def verify(stored: str, password: str) -> bool:
        checked.append(stored)
        return PasswordHasher().verify(stored, password)

    monkeypatch.setattr(
        "alertops.services.accounts.passwords._hasher",
        SimpleNamespace(verify=verify, hash=PasswordHasher().hash),
    )
    assert login(client, password="not the password").status_code == 401
    assert login(client, email="nobody@example.org").status_code == 401
    assert len(checked) == 2
    # As much work each: the same parameters.
    assert len({stored.split("$")[3] for stored in checked}) == 1


def test_a_login_renews_a_hash_of_weaker_parameters(client: FlaskClient, session: Session) -> None:
    register(client)
    weak = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    session.execute(update(User).values(password_hash=weak))
    session.commit()
    assert login(client).status_code == 200
    renewed = session.scalars(select(User.password_hash)).one()
    assert renewed != weak
    assert not PasswordHasher().check_needs_rehash(renewed)
    assert login(client).status_code == 200


def test_answers_with_tokens_are_not_cached(client: FlaskClient) -> None:
    register(client)
    assert login(client).headers["Cache-Control"] == "no-store"


def test_a_token_does_not_outlive_its_account(app: Flask, session: Session) -> None:
    ann = person(app, "ann")
    session.execute(delete(User))
    session.commit()
    assert_problem(ann.get("/me"), 401)
    assert_problem(ann.post("/teams", {"name": "Ops"}), 401)


def test_no_password_and_no_token_is_found_in_logs_or_database(
    client: FlaskClient, session: Session, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = "a canary that is not the password"
    register(client)
    pair = login(client).json or {}
    login(client, password=wrong)
    login(client, email=wrong)
    client.get(f"{API}/me", headers=bearer(pair["access_token"] + "x"))
    after = client.post(f"{API}/auth/refresh", headers=bearer(pair["refresh_token"])).json or {}
    client.post(f"{API}/auth/refresh", headers=bearer(after["refresh_token"][:-1] + "A"))
    logged = "".join(capfd.readouterr())
    assert "/auth/refresh" in logged, "nothing was logged that could have held a secret"
    stored = "".join(
        str(session.execute(text(f"SELECT string_agg(to_jsonb(t)::text, '') FROM {table.name} t")).scalar())
        for table in Base.metadata.sorted_tables
    )
    secrets = [PASSWORD, wrong]
    for tokens in (pair, after):
        refresh_token = RefreshToken.parse(tokens["refresh_token"])
        assert refresh_token is not None
        secrets += [tokens["refresh_token"], refresh_token.family.hex(), refresh_token.secret.hex()]
        secrets += tokens["access_token"].split(".")[1:]
    for secret in secrets:
        assert secret not in logged
        assert secret not in stored
        assert secret.encode().hex() not in stored
