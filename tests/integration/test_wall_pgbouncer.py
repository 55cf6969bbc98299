"""The second wall through a real PgBouncer in transaction mode: one connection to the server, many clients.

Whose turn it is changes with every transaction there. What one of them leaves behind, the next one finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import session_factory
from alertops.models import Execution
from alertops.services.access.actor import Person
from alertops.services.access.wall import raise_the_wall
from alertops.services.acknowledge import acknowledge
from alertops.services.dispatch import SEND_DELIVERY, Dispatcher
from alertops.services.lock import lock_execution
from alertops.services.operate import By
from tests.integration.api_client import a_flow, person
from tests.integration.conftest import RecordingPublisher, application
from tests.integration.furnishing import Tenant, furnish
from tests.integration.subscribing import deliveries, started, subscribe
from tests.integration.world import World, node
from tests.pooler import Pooler


@pytest.fixture
def pooler(database_url: str) -> Iterator[str]:
    """The address of a PgBouncer that has a single connection to the server."""
    with Pooler(database_url, pool_size=1) as pooler:
        yield pooler.url


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


BOUNDS = text(
    "SELECT pg_backend_pid(), current_setting('idle_in_transaction_session_timeout'),"
    " current_setting('lock_timeout')"
)


def test_every_transaction_is_bounded_on_whichever_connection_of_the_server_it_is(database_url: str) -> None:
    with Pooler(database_url, pool_size=2) as pooler:
        engine = session_factory(pooler.url).kw["bind"]
        # Both connect, one after the other, over the only connection to the server. Then both are in a
        # transaction at once, and the second is given a connection to the server that is new.
        with engine.connect() as first, engine.connect() as second:
            for _ in range(2):
                found = [tuple(connection.execute(BOUNDS).one()) for connection in (first, second)]
                assert [bounds for _, *bounds in found] == [["10s", "4s"]] * 2
                assert found[0][0] != found[1][0]
                first.commit()
                second.commit()
        engine.dispose()


def test_who_is_frozen_in_a_transaction_loses_its_locks_behind_a_pooler_too(
    pooler: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "alertops.db.ASK_EACH_TIME", "SET LOCAL idle_in_transaction_session_timeout = '200ms'"
    )
    execution = world.start(world.flow(node("a", 60)))
    engine = session_factory(pooler).kw["bind"]
    with Session(engine) as frozen:
        lock_execution(frozen, execution.id)
        acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
        with pytest.raises(DBAPIError):
            frozen.execute(text("SELECT 1"))
    engine.dispose()


def test_without_a_pooler_it_is_asked_for_once(database_url: str) -> None:
    """A statement for each transaction would be one in four of firing a step."""
    engine = session_factory(database_url).kw["bind"]
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, sql, *_: said.append(sql))
    for _ in range(2):
        with engine.connect() as connection:
            assert connection.execute(BOUNDS).one()[1:] == ("10s", "4s")
    assert set(said) == {BOUNDS.text}
    engine.dispose()


def test_what_subscribers_are_told_is_announced_through_it(
    pooled: sessionmaker[Session], publisher: RecordingPublisher
) -> None:
    with pooled() as session:
        world = World(session, Dispatcher(publisher), publisher)
        subscribe(world, "https://hooks.example.com/")
        started(world)
        woken = [message.args[0] for message in publisher.messages if message.task == SEND_DELIVERY]
        assert woken == [str(delivery.id) for delivery in deliveries(world)]
        assert len(woken) == 1
