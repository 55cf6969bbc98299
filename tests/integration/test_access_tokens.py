"""Access tokens: only what our keys signed, complete and for us, opens anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import jwt
import pytest
from celery import Celery
from flask import Flask
from flask.testing import FlaskClient

from alertops.signing_keys import KeyRing
from api import create_app
from api.config import load_api_settings
from tasks.depths import QueueDepths
from tests.api_environment import NO_BROKER, api_environment
from tests.integration.api_client import API, assert_problem, person
from tests.integration.conftest import RecordingPublisher
from tests.integration.forgeries import claims_of, forged_tokens, resigned


def ring_of(app: Flask) -> KeyRing:
    ring: KeyRing = app.extensions["alertops.signing_keys"]
    return ring


def me(client: FlaskClient, token: str) -> int:
    answer = client.get(f"{API}/me", headers={"Authorization": f"Bearer {token}"})
    if answer.status_code != 200:
        assert_problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    return answer.status_code


def test_a_token_names_its_key_its_issuer_whom_it_is_for_and_itself(app: Flask) -> None:
    ann = person(app, "ann")
    header, claims = jwt.get_unverified_header(ann.token), claims_of(ann.token)
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": ring_of(app).signing_id}
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("alertops", "alertops-api", str(ann.id))
    assert claims["exp"] - claims["iat"] == 15 * 60
    assert claims["jti"] != claims_of(person(app, "ben").token)["jti"]


def test_what_forgeries_are_made_of_is_accepted_when_nothing_is_wrong_with_it(app: Flask) -> None:
    token = person(app, "ann").token
    assert me(app.test_client(), resigned(token, ring_of(app))) == 200


def test_a_token_of_one_persons_session_is_nobody_elses(app: Flask) -> None:
    ann, ben = person(app, "ann"), person(app, "ben")
    mixed = resigned(ann.token, ring_of(app), sid=str(ben.session_id))
    assert me(app.test_client(), mixed) == 401


def test_no_forged_token_opens_a_route(app: Flask) -> None:
    client = app.test_client()
    forged = forged_tokens(person(app, "ann").token, ring_of(app))
    assert {name for name, token in forged.items() if me(client, token) != 401} == set()


def protected(client: FlaskClient) -> Iterator[tuple[str, str]]:
    """Every route of the description that needs a token, with ids of nothing."""
    document = client.get("/openapi.json").json or {}
    for path, operations in document["paths"].items():
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        ids = {name: 1 if name == "number" else uuid4() for name in names}
        for method, operation in operations.items():
            if method in ("get", "post", "put", "patch", "delete") and operation.get("security") != []:
                yield method.upper(), path.format(**ids)


def test_no_route_of_the_description_takes_a_forged_token(app: Flask) -> None:
    client = app.test_client()
    forged = forged_tokens(person(app, "ann").token, ring_of(app))
    assert len(forged) >= 25
    routes = list(protected(client))
    assert len(routes) >= 18
    for method, path in routes:
        for name, token in forged.items():
            answer = client.open(path, method=method, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401, f"{method} {path} with {name}: {answer.text}"
            assert answer.content_type == "application/problem+json"


@contextmanager
def app_with(ring: KeyRing, database_url: str) -> Iterator[FlaskClient]:
    """Another API process on the same database, started with these keys."""
    settings = replace(load_api_settings(api_environment(database_url)), signing_keys=ring)
    nothing = QueueDepths(Celery(broker=NO_BROKER, set_as_current=False))
    app = create_app(settings, RecordingPublisher(), nothing)
    yield app.test_client()
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def test_a_rotation_ends_no_token_whichever_process_learns_of_it_first(app: Flask, database_url: str) -> None:
    old = person(app, "ann").token
    rotated = ring_of(app).rotated()
    with app_with(rotated, database_url) as behind:
        assert me(behind, old) == 200
        new = resigned(old, rotated)
        assert jwt.get_unverified_header(new) != jwt.get_unverified_header(old)
        assert me(behind, new) == 200
        assert me(app.test_client(), new) == 200, "a process that was not restarted knows the next key"


def test_a_token_of_a_removed_key_is_refused(app: Flask, database_url: str) -> None:
    token = person(app, "ann").token
    with app_with(ring_of(app).rotated().rotated().rotated(), database_url) as later:
        assert me(later, token) == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer a b", "Basic YTpi", "Bearer \xff.\xff.\xff"]
)
def test_a_malformed_authorization_is_refused(client: FlaskClient, header: str) -> None:
    assert_problem(client.get(f"{API}/me", headers={"Authorization": header}), 401)
