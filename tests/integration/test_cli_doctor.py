"""`alertops doctor` on real servers: it says what is wrong with each, and what to do."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from kombu import Connection, Consumer, Queue
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.cli import main
from alertops.cli.doctor.database import judge_clock
from alertops.models import BrokerEpoch
from alertops.services.access.wall import WALLED_ROLE
from deploy.local.databases import create_database, drop_database
from deploy.local.smtp_sink import SmtpSink
from deploy.local.stack import PrivateStack
from tasks.delay import declare_topology
from tasks.queues import DEAD_LETTER_EXCHANGE, task_queues
from tests.api_environment import NO_BROKER, api_environment

Findings = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def vhost(stack: PrivateStack) -> Iterator[str]:
    """A vhost with nothing in it."""
    if stack.rabbitmq not in stack.servers:
        pytest.skip("needs a RabbitMQ of its own, and the environment names one")
    name = f"doctor_{uuid4().hex[:8]}"
    yield stack.rabbitmq.create_vhost(name)
    stack.rabbitmq.delete_vhost(name)


@pytest.fixture(scope="module")
def staffed(vhost: str) -> Iterator[str]:
    """The same with the whole topology, and somebody who listens to every queue."""
    with Connection(vhost) as connection:
        declare_topology(connection)
        with Consumer(connection.default_channel, task_queues(), callbacks=[lambda *_: None]):
            yield vhost


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as running:
        yield running


@pytest.fixture
def recovering(session: Session) -> None:
    """Recovery ran a moment ago."""
    session.add(BrokerEpoch(last_run_at=text("clock_timestamp()")))
    session.commit()


def doctor(
    database_url: str, broker_url: str = NO_BROKER, port: int = 1, **more: str
) -> tuple[int, Findings]:
    mail = {"ALERTOPS_SMTP_PORT": str(port), "ALERTOPS_SMTP_SECURITY": "none"}
    environment = api_environment(database_url, broker_url, **(mail | more))
    result = CliRunner().invoke(main, ["doctor", "--output", "json"], env=environment)
    assert result.exit_code in (0, 1), result.exception
    told = json.loads(result.output)
    assert told["ok"] == (result.exit_code == 0)
    return result.exit_code, {finding["about"]: finding for finding in told["findings"]}


def ailing(findings: Findings) -> dict[str, str]:
    """What is wrong, and what is said about it."""
    return {about: f"{f['found']} → {f['advice']}" for about, f in findings.items() if not f["ok"]}


@pytest.mark.usefixtures("recovering")
def test_where_all_is_well_it_says_so_of_every_part(database_url: str, staffed: str, sink: SmtpSink) -> None:
    code, findings = doctor(database_url, staffed, sink.port)
    assert (code, ailing(findings)) == (0, {})
    parts = {
        "release",
        "configuration",
        "signing keys",
        "apprise",
        "clock",
        "database",
        "migrations",
        "wall",
        "recovery",
    }
    queues = {f"queue {queue.name}" for queue in task_queues()}
    assert set(findings) == parts | queues | {"broker", "queue dead-letter", "delayed delivery", "mail"}
    assert sink.messages == ()


def test_every_fault_of_the_configuration_is_named_in_its_own_line() -> None:
    wrong: dict[str, str | None] = dict.fromkeys(api_environment("postgresql://a@b/c"))
    wrong |= {"ALERTOPS_SMTP_SECURITY": "perhaps", "ALERTOPS_DATABASE_URL": "mysql://root@db/x"}
    result = CliRunner().invoke(main, ["doctor"], env=wrong)
    assert result.exit_code == 1
    lines = [line for line in result.output.splitlines() if line.startswith("✗")]
    for name in ("DATABASE_URL", "BROKER_URL", "SMTP_HOST", "SMTP_SECURITY", "MAIL_FROM", "LINK_KEYS"):
        assert sum(f"ALERTOPS_{name}" in line for line in lines) == 1, (name, result.output)
    assert result.output.count("\n  → ") == len(lines)


def test_servers_that_are_down_are_all_named_at_once() -> None:
    secret = "s3cret"
    _, findings = doctor(f"postgresql+psycopg2://u:{secret}@127.0.0.1:1/x")
    found = ailing(findings)
    assert set(found) == {"database", "broker", "mail"}
    assert "127.0.0.1:1 does not serve us" in found["database"]
    assert "ALERTOPS_BROKER_URL" in found["broker"]
    assert "ALERTOPS_SMTP_HOST" in found["mail"]
    assert secret not in str(findings)


def test_files_that_cannot_be_used_are_named(database_url: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    missing = str(tmp_path / "missing.pem")
    found = ailing(
        doctor(
            database_url,
            ALERTOPS_WEBHOOK_CA_FILE=str(empty),
            ALERTOPS_JWT_KEYS_FILE=missing,
            ALERTOPS_SMTP_SECURITY="tls",
            ALERTOPS_SMTP_CA_FILE=missing,
        )[1]
    )
    assert str(empty) in found["webhook certificates"]
    assert missing in found["mail certificates"]
    assert "was not asked" in found["mail"]
    assert "alertops keys generate" in found["signing keys"]


def test_a_database_that_was_not_migrated(stack: PrivateStack) -> None:
    name = f"alertops_doctor_{uuid4().hex[:8]}"
    url = create_database(stack.addresses.database_url, name)
    try:
        found = ailing(doctor(url)[1])
    finally:
        drop_database(stack.addresses.database_url, name)
    assert "flask --app api.wsgi db upgrade" in found["migrations"]
    assert "recovery" not in found


def test_recovery_that_does_not_run(database_url: str, sessions: sessionmaker[Session]) -> None:
    assert "has not run yet" in ailing(doctor(database_url)[1])["recovery"]
    with sessions() as session:
        session.add(BrokerEpoch(last_run_at=text("clock_timestamp() - interval '5 minutes'")))
        session.commit()
    assert "no whole run for 30" in ailing(doctor(database_url)[1])["recovery"]


def test_a_user_who_may_not_take_on_the_role_of_the_wall(database_url: str) -> None:
    user = f"doctor_{uuid4().hex[:8]}"
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as admin:
        admin.execute(text(f"CREATE ROLE {user} LOGIN PASSWORD 'x'"))
        admin.execute(text(f"GRANT SELECT ON alembic_version, broker_epoch TO {user}"))
        try:
            url = make_url(database_url).set(username=user, password="x")
            found = ailing(doctor(url.render_as_string(hide_password=False))[1])
        finally:
            admin.execute(text(f"DROP OWNED BY {user}"))
            admin.execute(text(f"DROP ROLE {user}"))
    engine.dispose()
    assert f"run: GRANT {WALLED_ROLE} TO {user};" in found["wall"]


def test_a_clock_that_is_off_by_more_than_a_second() -> None:
    assert judge_clock(timedelta(seconds=0.9)).ok
    assert "NTP" in str(judge_clock(timedelta(seconds=1.1)).advice)


def test_a_broker_that_no_worker_has_been_at(database_url: str, stack: PrivateStack) -> None:
    name = f"doctor_{uuid4().hex[:8]}"
    broker_url = stack.rabbitmq.create_vhost(name)
    try:
        found = ailing(doctor(database_url, broker_url)[1])
        again = ailing(doctor(database_url, broker_url)[1])
    finally:
        stack.rabbitmq.delete_vhost(name)
    assert found["queue fire"].startswith("is not there → start a worker")
    assert "57 parts are not there" in found["delayed delivery"]
    assert "queue dead-letter" in found
    assert again == found, "asking made something"


def test_queues_nobody_listens_to_and_one_that_is_of_another_kind(
    database_url: str, stack: PrivateStack
) -> None:
    name = f"doctor_{uuid4().hex[:8]}"
    broker_url = stack.rabbitmq.create_vhost(name)
    try:
        with Connection(broker_url) as connection:
            channel: Any = connection.default_channel
            declare_topology(connection)
            channel.queue_delete("send.email")
            Queue("send.email", durable=True, queue_arguments={"x-queue-type": "classic"}).bind(
                channel
            ).declare()
            channel.exchange_delete("celery_delayed_3")
            connection.Producer().publish("poison", exchange=DEAD_LETTER_EXCHANGE)
        found = ailing(doctor(database_url, broker_url)[1])
    finally:
        stack.rabbitmq.delete_vhost(name)
    assert "0 workers listen → start a worker that takes from it" in found["queue fire"]
    assert "is not what we declare: " in found["queue send.email"]
    assert "1 messages that nobody could work on" in found["queue dead-letter"]
    assert "exchange celery_delayed_3 the first" in found["delayed delivery"]


def test_a_mail_server_that_refuses_the_login_or_is_not_trusted(database_url: str, tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    with SmtpSink(users={"alertops": "another"}, tls=tls) as sink:
        login = {"ALERTOPS_SMTP_USERNAME": "alertops", "ALERTOPS_SMTP_SECURITY": "starttls"}
        untrusted = login | {"ALERTOPS_SMTP_PASSWORD": "s3cret"}
        trusted = untrusted | {"ALERTOPS_SMTP_CA_FILE": str(pem)}
        assert (
            "certificate verify failed"
            in ailing(doctor(database_url, port=sink.port, **untrusted)[1])["mail"]
        )
        refused = ailing(doctor(database_url, port=sink.port, **trusted)[1])["mail"]
        assert "535" in refused
        assert "s3cret" not in refused
        welcome = doctor(database_url, port=sink.port, **trusted | {"ALERTOPS_SMTP_PASSWORD": "another"})[1]
        assert welcome["mail"]["found"].endswith("starttls, logged in")
        assert sink.messages == ()


def certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file that also serves as the CA."""
    key, pem = folder / "key.pem", folder / "both.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=sink"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(pem)]
    subprocess.run([*make.split(), *files], check=True, capture_output=True)  # noqa: S603  names of our own
    pem.write_text(pem.read_text() + key.read_text())
    return pem


def test_a_service_that_the_installed_library_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alertops.cli.doctor.settings.missing_of", lambda schemes: sorted(schemes)[:1])
    found = ailing(doctor("postgresql://a@127.0.0.1:1/c", ALERTOPS_APPRISE_SCHEMES="slack,tgram")[1])
    assert "slack://" in found["apprise"]
    assert "requirements.lock" in found["apprise"]
