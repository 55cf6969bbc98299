"""Services and API on a real database; the broker is a list that a test can read."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence

import pytest
from celery import Celery
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import Base, session_factory
from alertops.schema import migrate
from alertops.services.add_up_figures import add_up_figures
from alertops.services.broker_epoch import enter_epoch
from alertops.services.dispatch import Dispatcher, Message, Publisher
from alertops.services.recovery_record import record_run
from api import create_app
from api.config import load_api_settings
from deploy.local.databases import create_database, drop_database
from deploy.local.stack import PrivateStack
from tasks.delay import declare_queues
from tasks.depths import QueueDepths
from tests.api_environment import NO_BROKER, api_environment
from tests.integration.recovering import Markers
from tests.integration.watching import Known, known
from tests.integration.world import Broker, World


class RecordingPublisher:
    """Takes every message, and keeps it for the test to read or to deliver."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> list[bool]:
        self.messages += messages
        return [True] * len(messages)


def application(
    database_url: str, publisher: Publisher, broker_url: str = NO_BROKER, **variables: str
) -> Flask:
    """The API as `api.wsgi` puts it together, except for the publisher."""
    settings = load_api_settings(api_environment(database_url, broker_url, **variables))
    queues = QueueDepths(Celery(broker=broker_url, set_as_current=False))
    return create_app(settings, publisher, queues)


@pytest.fixture(scope="session")
def migrated_database(stack: PrivateStack) -> Iterator[str]:
    name = f"alertops_test_{os.getpid()}"
    server = stack.addresses.database_url
    url = create_database(server, name)
    engine = create_engine(url)
    with engine.connect() as connection:
        migrate(connection)
        # Rows stay in the order in which they were written: no vacuum makes room before them at any moment.
        for table in Base.metadata.sorted_tables:
            connection.exec_driver_sql(f"ALTER TABLE {table.name} SET (autovacuum_enabled = off)")
        connection.commit()
    engine.dispose()
    yield url
    drop_database(server, name)


@pytest.fixture(scope="session")
def all_sessions(migrated_database: str) -> Iterator[sessionmaker[Session]]:
    sessions = session_factory(migrated_database)
    yield sessions
    sessions.kw["bind"].dispose()


@pytest.fixture
def sessions(all_sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """Sessions on an empty database."""
    # Deleting a few rows takes a millisecond; TRUNCATE makes new files for all tables, and takes fifty.
    tables = [table.name for table in reversed(Base.metadata.sorted_tables)]
    with all_sessions() as session:
        connection = session.connection()
        # Nobody may empty the audit log; but a test begins with an empty one.
        connection.exec_driver_sql("ALTER TABLE audit_log DISABLE TRIGGER USER")
        connection.exec_driver_sql("; ".join(f"DELETE FROM {table}" for table in tables))
        connection.exec_driver_sql("ALTER TABLE audit_log ENABLE TRIGGER USER")
        session.commit()
    return all_sessions


@pytest.fixture
def database_url(sessions: sessionmaker[Session], migrated_database: str) -> str:
    """The address of an empty, migrated database."""
    return migrated_database


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    with sessions() as session:
        yield session


@pytest.fixture
def publisher() -> RecordingPublisher:
    return RecordingPublisher()


@pytest.fixture
def world(session: Session, publisher: RecordingPublisher) -> World:
    """A team, a person, flows, and the hands of a clock."""
    return World(session, Dispatcher(publisher), publisher)


@pytest.fixture
def broker(world: World) -> Broker:
    """The broker of recovery and of the world: what either publishes arrives there."""
    broker = Broker()
    world.dispatcher = Dispatcher(broker)
    return broker


@pytest.fixture
def markers() -> Markers:
    """The markers that a broker has: none yet."""
    return Markers()


@pytest.fixture(scope="session")
def shared_app(migrated_database: str) -> Flask:
    """One for all tests: making it takes longer than most of them."""
    return application(migrated_database, RecordingPublisher())


@pytest.fixture
def app(shared_app: Flask, database_url: str, publisher: RecordingPublisher) -> Iterator[Flask]:
    """The API on an empty database. A test that changes the application itself makes one of its own."""
    shared_app.testing = True
    shared_app.extensions["alertops.dispatcher"] = Dispatcher(publisher)
    yield shared_app
    with shared_app.app_context():
        shared_app.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def silent_address() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def scraped(stack: PrivateStack, migrated_database: str) -> Known:
    """All that a scrape has when everything is there: the queues, and a run of recovery to tell of."""
    with Celery(broker=stack.addresses.broker_url, set_as_current=False).connection_for_write() as connection:
        declare_queues(connection)
    sessions = session_factory(migrated_database)
    with sessions() as session:
        enter_epoch(session, Markers())
        record_run(session, 0.1, {}, whole=True)
        add_up_figures(session)
    app = application(migrated_database, RecordingPublisher(), stack.addresses.broker_url)
    told = app.test_client().get("/metrics").text
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
    sessions.kw["bind"].dispose()
    return known(told)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
