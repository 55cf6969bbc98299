"""The release before and this one work side by side on one database and one broker, and keep every promise.

In the order of docs/upgrading.md: the schema is migrated under the old processes, then new workers come, then
the new API; the old ones leave. Alerts come through both, and each may be worked on by either.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import session_factory
from alertops.models import Execution
from alertops.schema import migrate
from deploy.local.client import Client
from deploy.local.databases import create_database, drop_database
from deploy.local.fleet import Fleet
from deploy.local.service import Service
from deploy.local.smtp_sink import SmtpSink
from deploy.local.stack import Addresses, PrivateStack
from tests.acceptance.alerts import Alert, Alerts, measured, node, until
from tests.acceptance.release_before import export, newest_revision, release_before

pytestmark = [pytest.mark.acceptance, pytest.mark.alone, pytest.mark.nightly]

# Programs start beside what is measured, on as many cores as there are.
PATIENCE = timedelta(seconds=5)
ROUNDS = 10
# The secrets that all processes of an installation share, whatever their release.
SHARED = ("ALERTOPS_JWT_KEYS_FILE", "ALERTOPS_LINK_KEYS", "ALERTOPS_SECRETS_KEYS", "ALERTOPS_PUBLIC_URL")
NAME = "upgraded"


@dataclass
class Upgrade:
    """One installation, and the two releases that run on it."""

    old: Fleet
    new: Fleet
    addresses: Addresses
    sessions: sessionmaker[Session]


@pytest.fixture(scope="module")
def old_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    name = release_before()
    measured(f"the release before is {name}")
    return export(name, tmp_path_factory.mktemp("before"))


@pytest.fixture(scope="module")
def addresses(stack: PrivateStack, old_checkout: Path) -> Iterator[Addresses]:
    """A database as the release before has it."""
    server = stack.addresses.database_url
    database_url = create_database(server, NAME)
    bring_to(database_url, newest_revision(old_checkout))
    yield Addresses(database_url, stack.rabbitmq.create_vhost(NAME))
    stack.rabbitmq.delete_vhost(NAME)
    drop_database(server, NAME)


def bring_to(database_url: str, revision: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        migrate(connection, revision)
    engine.dispose()


@pytest.fixture(scope="module")
def upgrade(
    addresses: Addresses, sink: SmtpSink, old_checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgrade]:
    """Nothing of it runs yet."""
    root = tmp_path_factory.mktemp("upgrade")
    old = Fleet(root / "old", addresses, smtp_port=sink.port, hosts=("old",), checkout=old_checkout)
    secrets = {name: old.api.environment[name] for name in SHARED}
    new = Fleet(root / "new", addresses, smtp_port=sink.port, hosts=("new",), extra=secrets)
    sessions = session_factory(addresses.database_url)
    try:
        yield Upgrade(old, new, addresses, sessions)
    finally:
        old.kill()
        new.kill()
        sessions.kw["bind"].dispose()


def start(*services: Service) -> None:
    for service in services:
        service.start()
    for service in services:
        service.wait_ready()


def alerts_through(fleet: Fleet, upgrade: Upgrade, sink: SmtpSink) -> Alerts:
    client = Client(fleet.api_url)
    client.sign_in("Operator", "operator@example.org", "a password of the tests")
    teams = client.teams()
    team = str(teams[0]["id"]) if teams else client.create_team("Team")
    return Alerts(client, team, upgrade.sessions, sink)


def settle(*sides: Alerts) -> None:
    """Everything that was raised has come to its end, and all promises were kept."""
    for side in sides:
        ids = [alert.id for alert in side.raised]
        still_open = select(Execution.id).where(Execution.id.in_(ids), Execution.status == "running")
        until(lambda s=side, q=still_open: not s.rows(q), within=30, what="the end of all alerts")
        verdict = side.verify(patience=PATIENCE, at_least=len(ids))
        measured(
            f"old and new at once: {len(ids)} alerts, {len(verdict.lateness)} steps,"
            f" the latest {max(verdict.lateness) * 1000:.0f} ms late"
        )


def test_from_one_release_to_the_next_with_alerts_all_the_time(upgrade: Upgrade, sink: SmtpSink) -> None:
    old, new = upgrade.old, upgrade.new
    start(*old.workers, old.api)
    by_old = alerts_through(old, upgrade, sink)
    flow = by_old.flow(
        node("first@example.org", 0), node("second@example.org", 2), node("third@example.org", 4)
    )
    for _ in range(ROUNDS):
        by_old.raise_(flow)

    bring_to(upgrade.addresses.database_url, "head")
    for _ in range(ROUNDS):
        by_old.raise_(flow)
    start(*new.workers)
    start(new.api)
    by_new = alerts_through(new, upgrade, sink)
    with ThreadPoolExecutor() as callers:
        for _ in range(ROUNDS):
            several = [callers.submit(side.raise_, flow) for side in (by_old, by_new)]
            ours, theirs = (raised.result() for raised in several)
            answer_each_others(by_old, by_new, ours, theirs)
            by_old.raise_(flow)
            by_new.raise_(flow)
    settle(by_old, by_new)
    both_have_worked(upgrade)


def answer_each_others(by_old: Alerts, by_new: Alerts, ours: Alert, theirs: Alert) -> None:
    """What came through one is answered through the other."""
    assert by_new.client.acknowledge(str(ours.id))["status"] == "acknowledged"
    assert by_old.client.acknowledge(str(theirs.id))["status"] == "acknowledged"


def both_have_worked(upgrade: Upgrade) -> None:
    """A release that gets no work shows nothing."""
    for fleet in (upgrade.old, upgrade.new):
        for worker, did in zip(fleet.workers, ("step_fired", "attempt_ended"), strict=True):
            assert worker.log_text().count(did) > ROUNDS, f"{worker.name} of {fleet.root.name} had no share"


def test_the_old_ones_leave_and_what_waits_goes_on_with_the_new(upgrade: Upgrade, sink: SmtpSink) -> None:
    by_old = alerts_through(upgrade.old, upgrade, sink)
    flow = by_old.flow(node("before@example.org", 0), node("after@example.org", 6))
    waiting = [by_old.raise_(flow) for _ in range(ROUNDS)]
    for alert in waiting:
        alert.await_delivered(1, within=10)
    upgrade.old.stop()
    for alert in waiting:
        alert.await_status("exhausted", within=20)
    settle(by_old)


def test_what_the_old_release_does_not_survive_is_seen(upgrade: Upgrade) -> None:
    """The control: with a column that it uses gone, it answers no alert with 2xx."""
    start_without_asking(upgrade.old.api)
    client = Client(upgrade.old.api_url)
    client.sign_in("Operator", "operator@example.org", "a password of the tests")
    flow = client.create_flow(str(client.teams()[0]["id"]), "Flow", [node("control@example.org", 0)])
    rename(upgrade, "summary", "headline")
    try:
        with pytest.raises(requests.HTTPError) as refused:
            client.trigger(flow, "Disk is full")
    finally:
        rename(upgrade, "headline", "summary")
    assert refused.value.response.status_code >= 500


def rename(upgrade: Upgrade, column: str, to: str) -> None:
    with upgrade.sessions() as session:
        session.execute(text(f"ALTER TABLE executions RENAME COLUMN {column} TO {to}"))
        session.commit()


def start_without_asking(api: Service) -> None:
    """Until it is up: the release before may not call itself ready with a schema that it does not know."""
    api.start()
    bind = api.command[api.command.index("--bind") + 1]

    def up() -> bool:
        try:
            return requests.get(f"http://{bind}/healthz", timeout=2).ok
        except requests.RequestException:
            return False

    until(up, within=30, what="an API")
