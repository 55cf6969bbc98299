"""Where everything is measured: a private Postgres and RabbitMQ with a room for each, and one mail server.

Postgres keeps count of statements (pg_stat_statements), which needs a restart before the first measurement.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg2
from sqlalchemy import create_engine

from alertops.schema import migrate
from deploy.local.databases import create_database, drop_database
from deploy.local.progress import Report
from deploy.local.stack import Addresses, PrivateStack
from tests.benchmarks.sink import MailSink

ROOT = Path(".local/bench")


@dataclass(frozen=True)
class Room:
    """A database and a vhost that nobody else uses, and a folder."""

    stage: Stage
    name: str
    addresses: Addresses
    folder: Path

    @property
    def dsn(self) -> str:
        """The database's address as libpq reads it."""
        return self.addresses.database_url.replace("+psycopg2", "", 1)

    def migrate(self) -> None:
        """Make our tables."""
        engine = create_engine(self.addresses.database_url)
        with engine.connect() as connection:
            migrate(connection)
        engine.dispose()
        self.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def execute(self, statement: str) -> None:
        """One statement, in a transaction of its own or none."""
        with autocommitting(self.dsn) as session:
            session.cursor().execute(statement)

    def ask(self, query: str) -> float:
        """The one number that the query tells."""
        with autocommitting(self.dsn) as session, session.cursor() as cursor:
            cursor.execute(query)
            (value,) = cursor.fetchone() or (0,)
            return float(value)


@contextmanager
def autocommitting(dsn: str) -> Iterator[psycopg2.extensions.connection]:
    """A session in which each statement is a transaction of its own."""
    session = psycopg2.connect(dsn)
    session.autocommit = True
    try:
        yield session
    finally:
        session.close()


@dataclass(frozen=True)
class Stage:
    """The servers, up and shared by all that is measured in a run."""

    stack: PrivateStack
    sink: MailSink
    report: Report

    @contextmanager
    def room(self, name: str) -> Iterator[Room]:
        """An empty room; whatever was in it is gone afterwards."""
        unique = f"{name}_{uuid4().hex[:6]}".replace("-", "_")
        server = self.stack.addresses.database_url
        database = create_database(server, unique)
        try:
            broker = self.stack.rabbitmq.create_vhost(unique)
            try:
                yield Room(self, name, Addresses(database, broker), self.stack.root / name)
            finally:
                self.stack.rabbitmq.delete_vhost(unique)
        finally:
            drop_database(server, unique)


@contextmanager
def open_stage(report: Report, root: Path = ROOT) -> Iterator[Stage]:
    """Servers that were made for this run: what an earlier one left would be measured too."""
    stack = PrivateStack(root, report=report)
    stack.remove()
    with stack:
        try:
            count_statements(stack)
            with MailSink() as sink:
                yield Stage(stack, sink, report)
        finally:
            stack.remove()


def count_statements(stack: PrivateStack) -> None:
    """From here on, once a database has the extension; Postgres is started again for it."""
    with autocommitting(stack.addresses.database_url.replace("+psycopg2", "", 1)) as session:
        session.cursor().execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    stack.postgres.stop()
    stack.postgres.start()
