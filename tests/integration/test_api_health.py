"""Is the process up, and is it of use? Also when the database or the broker is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import perf_counter

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, text, update
from sqlalchemy.orm import Session

from alertops.models import BrokerEpoch
from api.questions import ANSWER_SECONDS
from deploy.local.stack import PrivateStack
from tests.integration.api_client import API, assert_problem, person
from tests.integration.conftest import RecordingPublisher, application
from tests.integration.recovering import Markers, Recover, Sessions, runner
from tests.integration.world import World

NO_DATABASE = "postgresql+psycopg2://nobody:secret@127.0.0.1:1/nothing"


@pytest.fixture
def without_database(publisher: RecordingPublisher) -> FlaskClient:
    return application(NO_DATABASE, publisher).test_client()


@pytest.fixture
def run(sessions: Sessions, world: World) -> Recover:
    """What a worker does at every tick."""
    return runner(sessions, world, Markers())


def test_a_process_that_is_up_says_so_without_its_database(without_database: FlaskClient) -> None:
    assert without_database.get("/healthz").json == {"status": "ok"}


def test_a_process_with_a_migrated_database_is_ready_without_a_broker(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["status"] == "ready"
    assert answer.json["checks"]["database"] == "ok"
    assert (
        "recovery" in answer.json["checks"]["broker"] or "does not answer" in answer.json["checks"]["broker"]
    )


def test_a_broker_that_answers_and_recovery_that_ran_are_reported(
    stack: PrivateStack, database_url: str, publisher: RecordingPublisher, run: Recover
) -> None:
    run()
    client = application(database_url, publisher, stack.addresses.broker_url).test_client()
    answer = client.get("/readyz").json or {}
    assert answer["checks"] == {"database": "ok", "broker": "ok", "recovery": "ok"}


def test_a_broker_that_refuses_the_login_is_reported(
    stack: PrivateStack, database_url: str, publisher: RecordingPublisher
) -> None:
    scheme, _, rest = stack.addresses.broker_url.partition("://")
    wrong = f"{scheme}://nobody:nothing@{rest.rpartition('@')[2]}"
    answer = application(database_url, publisher, wrong).test_client().get("/readyz")
    assert answer.status_code == 200
    assert (answer.json or {})["checks"]["broker"] != "ok"


def test_without_its_database_a_process_is_not_ready(without_database: FlaskClient) -> None:
    answer = without_database.get("/readyz")
    problem = assert_problem(answer, 503)
    assert problem["checks"]["database"] == "does not answer"
    assert answer.headers["Retry-After"]
    assert "secret" not in answer.text


@contextmanager
def schema_at(session: Session, revision: str) -> Iterator[None]:
    current = session.scalar(text("SELECT version_num FROM alembic_version"))
    change = text("UPDATE alembic_version SET version_num = :version")
    session.execute(change, {"version": revision})
    session.commit()
    try:
        yield
    finally:
        session.execute(change, {"version": current})
        session.commit()


def test_with_a_schema_behind_the_code_a_process_is_not_ready(client: FlaskClient, session: Session) -> None:
    with schema_at(session, "0017"):
        problem = assert_problem(client.get("/readyz"), 503)
    assert "revision" in problem["checks"]["database"]


def test_with_a_schema_ahead_of_the_code_a_process_is_ready(client: FlaskClient, session: Session) -> None:
    """As between the migration of the next release and its processes: somebody has to take the alerts."""
    with schema_at(session, "of the next release"):
        assert client.get("/readyz").status_code == 200


def test_servers_that_hang_do_not_hang_the_probe(silent_address: str, publisher: RecordingPublisher) -> None:
    database = f"postgresql+psycopg2://u:p@{silent_address}/x"
    client = application(database, publisher, f"amqp://u:p@{silent_address}/").test_client()
    for _ in range(2):
        began = perf_counter()
        problem = assert_problem(client.get("/readyz"), 503)
        # Both servers at once, not one after the other.
        assert perf_counter() - began < 2 * ANSWER_SECONDS
        assert problem["checks"] == {
            "database": "no answer within 2 s",
            "broker": "no answer within 2 s",
            "recovery": "not known without the database",
        }


def test_recovery_that_never_ran_is_reported_and_is_no_reason_to_say_no(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert (answer.json or {})["checks"]["recovery"].startswith("has not run yet")


def test_recovery_that_stopped_is_reported_by_the_databases_clock(
    client: FlaskClient, session: Session, run: Recover
) -> None:
    run()
    past = func.clock_timestamp() - timedelta(seconds=47)
    session.execute(update(BrokerEpoch).values(last_run_at=past))
    session.commit()
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert (answer.json or {})["checks"]["recovery"].startswith("no whole run for 47 s")


def test_recovery_that_is_turned_off_is_reported(database_url: str, publisher: RecordingPublisher) -> None:
    app = application(database_url, publisher, ALERTOPS_RECOVERY_TICK_SECONDS="0")
    checks = (app.test_client().get("/readyz").json or {})["checks"]
    assert checks["recovery"] == "off: ALERTOPS_RECOVERY_TICK_SECONDS is 0"


def test_a_database_that_is_gone_is_a_problem_that_passes(app: Flask, without_database: FlaskClient) -> None:
    token = person(app, "ann").token
    login = {"email": "ann@example.org", "password": "whatever it is"}
    answers = [
        without_database.get(f"{API}/teams", headers={"Authorization": f"Bearer {token}"}),
        without_database.post(f"{API}/auth/login", json=login),
    ]
    for answer in answers:
        assert_problem(answer, 503)
        assert answer.headers["Retry-After"]
        assert "nobody" not in answer.text


def test_a_request_is_logged_once_without_what_is_secret(client: FlaskClient) -> None:
    secret = "correct horse battery staple"
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        client.post(
            f"{API}/auth/login?token=abc",
            json={"email": "ann@example.org", "password": secret},
            headers={"X-Request-Id": "caller-1"},
        )
    [line] = [line for line in lines if line["event"] == "request"]
    assert (line["method"], line["route"], line["status"]) == ("POST", f"{API}/auth/login", 401)
    assert line["request_id"] == "caller-1"
    assert line["duration_ms"] > 0
    assert secret not in str(lines)
    assert "abc" not in str(lines)


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1", True), ("a b", False), ("x" * 200, False), ("\u00e9", False)]
)
def test_a_request_id_that_is_fit_for_a_log_is_kept(client: FlaskClient, given: str, kept: bool) -> None:
    answered = client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert (answered == given) is kept
    assert answered
