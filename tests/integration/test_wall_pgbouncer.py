"""The second wall through a real PgBouncer in transaction mode: one connection to the server, many clients.

Whose turn it is changes with every transaction there. What one of them leaves behind, the next one finds.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, make_url, select, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import session_factory
from alertops.models import Execution
from alertops.services.access.actor import Person
from alertops.services.access.wall import raise_the_wall
from deploy.local import binaries, ports
from deploy.local.account import unprivileged
from tests.integration.api_client import a_flow, person
from tests.integration.conftest import RecordingPublisher, application
from tests.integration.furnishing import Tenant, furnish

CONFIGURATION = """
[databases]
{database} = host={host} dbname={database} port={port} user={user} password={password} {more}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
"""


@pytest.fixture
def pooler(database_url: str) -> Iterator[str]:
    """The address of a PgBouncer that has a single connection to the server."""
    yield from _pooler(database_url, pool_size=1)


def _pooler(database_url: str, *, pool_size: int, more: str = "") -> Iterator[str]:
    binaries.ensure_installed([binaries.POOLER])
    url, port, account = make_url(database_url), ports.choose(set()), unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer."))
    file = folder / "pgbouncer.ini"
    file.write_text(
        CONFIGURATION.format(
            database=url.database,
            host=url.host,
            port=url.port,
            user=url.username,
            password=url.password,
            listen_port=port,
            pool_size=pool_size,
            more=more,
        )
    )
    for path in (folder, file):
        account.own(path)
    process = subprocess.Popen(  # noqa: S603  our own words
        [binaries.pgbouncer(), "-q", file], cwd=folder, stderr=subprocess.DEVNULL, **account.keywords()
    )
    try:
        deadline = time.monotonic() + 10
        while not ports.is_accepting(port):
            assert process.poll() is None, "PgBouncer ended at once"
            assert time.monotonic() < deadline, "PgBouncer does not come up"
            time.sleep(0.02)
        yield url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


@pytest.fixture
def pooled(pooler: str) -> Iterator[sessionmaker[Session]]:
    sessions = session_factory(pooler)
    yield sessions
    sessions.kw["bind"].dispose()


@pytest.fixture
def tenants(session: Session) -> list[Tenant]:
    return [furnish(session, name) for name in ("ann", "ben", "cid", "dan")]


def test_clients_that_share_one_connection_see_their_own_rows_alone(
    pooled: sessionmaker[Session], tenants: list[Tenant]
) -> None:
    def look(tenant: Tenant) -> set[tuple[int, tuple[object, ...]]]:
        with pooled() as session:
            raise_the_wall(session, Person(tenant.user_id))
            seen = set()
            for _ in range(50):
                server = session.scalar(select(func.pg_backend_pid()))
                seen.add((server, tuple(session.scalars(select(Execution.team_id)))))
                session.commit()
            return seen

    def look_at_all(_: object) -> set[int | None]:
        with pooled() as session:
            counted = set()
            for _ in range(50):
                counted.add(session.scalar(select(func.count()).select_from(Execution)))
                session.commit()
            return counted

    with ThreadPoolExecutor(8) as threads:
        workers = [threads.submit(look_at_all, None) for _ in range(2)]
        seen = list(threads.map(look, tenants))
    servers = {server for of_one in seen for server, _ in of_one}
    assert len(servers) == 1
    assert seen == [{(*servers, (tenant.team_id,))} for tenant in tenants]
    assert [worker.result() for worker in workers] == [{len(tenants)}] * 2


def test_an_alert_is_raised_and_a_stranger_finds_nothing_through_it(
    pooler: str, publisher: RecordingPublisher
) -> None:
    app = application(pooler, publisher)
    ann, ben = person(app, "ann"), person(app, "ben")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    flow = ann.make(f"/teams/{team}/flows", a_flow())["id"]
    execution = ann.make(f"/flows/{flow}/executions", {"summary": "disk full"})["id"]
    assert ben.get(f"/executions/{execution}").status_code == 404
    assert ann.get(f"/executions/{execution}").status_code == 200
    assert ann.post(f"/executions/{execution}/acknowledge").status_code == 200
    assert len(publisher.messages) == 1
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def test_what_a_session_asks_for_when_it_connects_stays_with_one_connection_of_the_server(
    database_url: str,
) -> None:
    """Why docs/security.md tells operators to say it to the pooler, or to the database."""
    bound = text("SELECT current_setting('idle_in_transaction_session_timeout')")
    for more, bounds in (
        ("", ["10s", "0"]),
        ("connect_query='SET idle_in_transaction_session_timeout = 10000'", ["10s", "10s"]),
    ):
        for pooler in _pooler(database_url, pool_size=2, more=more):
            sessions = session_factory(pooler)
            engine = sessions.kw["bind"]
            # Both connect, one after the other, and ask the only connection to the server for their bounds.
            # Then both are in a transaction at once, and the second is given a connection that is new.
            with engine.connect() as first, engine.connect() as second:
                both = [connection.scalar(bound) for connection in (first, second)]
            engine.dispose()
            assert both == bounds
