"""Secrets that are planted, and then looked for: in every table, and in every log at its most talkative."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from celery import Celery
from flask import Flask
from kombu import Connection
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from alertops.channels.base import ChannelError
from alertops.config import load_settings
from alertops.db import Base, session_factory
from alertops.logs import QUIET, configure_logging
from alertops.secret_box import SecretBox
from alertops.services.access.actor import Asking, Person
from alertops.services.access.permissions import Action
from alertops.services.accounts.refresh_token import RefreshToken
from alertops.services.dispatch import Dispatcher
from alertops.services.teams.make_webhook_secret import make_webhook_secret
from tasks.publisher import ConfirmingPublisher
from tests.api_environment import LINK_KEY, SECRETS_KEY, api_environment
from tests.integration.answering import Reader, reader, told
from tests.integration.api_client import API
from tests.integration.conftest import RecordingPublisher
from tests.integration.hooking import channel as hook
from tests.integration.mailing import channel, send
from tests.integration.raw_http import TAKEN, raw_receiver
from tests.integration.test_webhooks import fired
from tests.integration.test_webhooks import send as send_webhook
from tests.integration.world import World

PASSWORD = "canary-Password-7f31c2"
NEW_PASSWORD = "canary-NewPassword-91be04"
SMTP_PASSWORD = "canary-smtp-5d2a77"
BROKER_PASSWORD = "canary-broker-c0ffee"
DATABASE_PASSWORD = "canary-database-1dea"


TALKATIVE = ("sqlalchemy.engine", "sqlalchemy.pool", *QUIET)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """All that is logged, with everybody told to log all that they can."""
    root, before, written = logging.getLogger(), structlog.get_config(), StringIO()
    kept = (root.handlers[:], root.level, {name: logging.getLogger(name).level for name in TALKATIVE})
    monkeypatch.setattr("sys.stderr", written)
    configure_logging("json", "DEBUG")
    # A logger that is cached would go on like this in other tests.
    structlog.configure(cache_logger_on_first_use=False)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield written
    root.handlers[:], level, levels = kept
    root.setLevel(level)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.configure(**before)


def a_life_with_secrets(app: Flask) -> list[str]:
    """Somebody registers, logs in, is refused, refreshes, and changes the password; every secret of that."""
    client = app.test_client()
    account = {"email": "ann@example.org", "password": PASSWORD}
    assert client.post(f"{API}/auth/register", json={**account, "name": "Ann"}).status_code == 202
    wrong = {**account, "password": NEW_PASSWORD}
    assert client.post(f"{API}/auth/login", json=wrong).status_code == 401
    # As people do: a password in the field of the address.
    assert client.post(f"{API}/auth/login", json={**account, "email": PASSWORD}).status_code in (401, 422)
    tokens: dict[str, Any] = client.post(f"{API}/auth/login", json=account).json or {}
    next_ones: dict[str, Any] = (
        client.post(
            f"{API}/auth/refresh", headers={"Authorization": f"Bearer {tokens['refresh_token']}"}
        ).json
        or {}
    )
    bearer = {"Authorization": f"Bearer {next_ones['access_token']}"}
    changed = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert client.post(f"{API}/me/password", json=changed, headers=bearer).status_code == 204
    assert client.get(f"{API}/me", headers={"Authorization": "Bearer x.y.canary-token"}).status_code == 401
    assert client.get(f"{API}/me?token={next_ones['access_token']}", headers=bearer).status_code == 200
    found = [PASSWORD, NEW_PASSWORD, "canary-token"]
    for pair in (tokens, next_ones):
        found += [pair["access_token"].rpartition(".")[2], pair["refresh_token"].removeprefix("rft_")]
    return found


def dump(session: Session) -> str:
    """Every row of every table, as Postgres writes it."""
    return "\n".join(
        row
        for table in Base.metadata.sorted_tables
        for row in session.scalars(text(f"SELECT t::text FROM {table.name} t"))
    )


def test_no_secret_of_a_person_is_in_a_table_or_in_a_log(
    app: Flask, session: Session, logged: StringIO
) -> None:
    secrets = a_life_with_secrets(app)
    halves = [RefreshToken.parse(f"rft_{secret}") for secret in secrets]
    stored, written = dump(session), logged.getvalue()
    assert "ann@example.org" in stored
    assert "/api/v1/auth/login" in written
    assert "BEGIN (implicit)" in written, "SQLAlchemy does not say all that it can"
    assert [secret for secret in secrets if secret in stored] == []
    assert [
        half for half in halves if half and (half.secret.hex() in stored or half.family.hex() in stored)
    ] == []
    assert [secret for secret in secrets if secret in written] == []


def test_no_password_of_a_server_is_in_a_log_or_in_what_is_said_of_the_settings(logged: StringIO) -> None:
    database = f"postgresql+psycopg2://alertops:{DATABASE_PASSWORD}@127.0.0.1:1/alertops"
    broker = f"amqp://alertops:{BROKER_PASSWORD}@127.0.0.1:1/"
    environment = api_environment(
        database,
        broker,
        ALERTOPS_SMTP_USERNAME="alertops",
        ALERTOPS_SMTP_PASSWORD=SMTP_PASSWORD,
        ALERTOPS_SMTP_SECURITY="starttls",
    )
    log = structlog.get_logger("test")
    said = [repr(load_settings(environment))]
    log.warning("started", settings=load_settings(environment))
    for attempt in (
        lambda: session_factory(database)().execute(select(1)),
        lambda: ConfirmingPublisher(Celery(broker=broker, set_as_current=False), 1.0).publish([]),
        lambda: Connection(broker, connect_timeout=1).ensure_connection(max_retries=1, interval_start=0),
        lambda: send(channel(1, security="starttls", username="alertops", password=SMTP_PASSWORD)),
    ):
        try:
            attempt()
        except (ChannelError, Exception) as error:
            said.append(repr(error))
            log.exception("failed")
    said.append(logged.getvalue())
    assert len(said) >= 5
    for secret in (DATABASE_PASSWORD, BROKER_PASSWORD, SMTP_PASSWORD, LINK_KEY, SECRETS_KEY):
        assert secret not in "\n".join(said)


def test_no_link_of_an_alert_is_in_a_table_or_in_a_log(
    app: Flask, session: Session, logged: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = RecordingPublisher()
    holder = reader(app, told(World(session, Dispatcher(publisher), publisher)))
    signature = holder.path.removeprefix("/a/").partition(".")[0]
    forged = Reader(app, holder.path.replace(signature, "x" + signature[:-1]))
    answers = [holder.look(), holder.press("acknowledge"), holder.press(""), forged.look()]
    assert [answer.status_code for answer in answers] == [200, 303, 400, 404]
    monkeypatch.setattr("api.views.answer_page.tell_story", lambda *_: 1 / 0)
    answers.append(holder.look())
    assert answers[-1].status_code == 500
    written = logged.getvalue()
    assert "/a/<string:token>" in written
    assert "ZeroDivisionError" in written
    said = "".join(f"{answer.headers}" for answer in answers) + "".join(a.text for a in answers[1:])
    for secret in (signature[:-1], LINK_KEY):
        assert secret not in written
        assert secret not in dump(session)
        assert secret not in said


def test_no_secret_that_signs_is_in_a_table_or_in_a_log(
    app: Flask, session: Session, logged: StringIO
) -> None:
    publisher = RecordingPublisher()
    world = World(session, Dispatcher(publisher), publisher)
    asking = Asking(Person(world.owner.id), Action.MANAGE_KEYS)
    secret = make_webhook_secret(session, asking, world.team.id, SecretBox([SECRETS_KEY])).secret
    with raw_receiver(TAKEN) as receiver:
        send_webhook(world, fired(world, receiver), hook())
    written = logged.getvalue()
    assert "INSERT INTO webhook_secrets" in written
    assert "attempt_ended" in written
    assert receiver.requests[0].headers["webhook-signature"]
    for unsaid in (secret[10:-1], SECRETS_KEY):
        assert unsaid not in written
        assert unsaid not in dump(session)


def test_a_refresh_token_has_512_random_bits_and_none_of_them_twice() -> None:
    made = [RefreshToken.new() for _ in range(1000)]
    halves = [half for token in made for half in (token.family, token.secret)]
    assert {len(half) for half in halves} == {32}
    assert len(set(halves)) == len(halves)
    ones = sum(bin(int.from_bytes(half)).count("1") for half in halves)
    # Of 512,000 fair bits, six standard deviations.
    assert abs(ones - 256_000) < 6 * 358
