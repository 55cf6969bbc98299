"""Making and dropping databases on any Postgres server, private or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection

MAINTENANCE = "postgres"


def url_of(server_url: str, name: str) -> str:
    """The same server's address with another database."""
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def create_database(server_url: str, name: str) -> str:
    """Make an empty database unless it exists; returns its address."""
    with _maintenance(server_url) as session, session.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if cursor.fetchone() is None:
            # template0, because template1 cannot be copied while anybody is connected to it.
            cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    return url_of(server_url, name)


def drop_database(server_url: str, name: str) -> None:
    """Drop a database if it exists, and end the sessions which are still connected to it."""
    with _maintenance(server_url) as session, session.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def check_server(server_url: str) -> None:
    """Raise psycopg2.OperationalError unless the server lets us in and answers."""
    with _maintenance(server_url) as session, session.cursor() as cursor:
        cursor.execute("SELECT 1")


@contextmanager
def _maintenance(server_url: str) -> Iterator[connection]:
    """A session in which each statement is a transaction of its own, as CREATE DATABASE demands."""
    plain = url_of(server_url, MAINTENANCE).replace("+psycopg2", "", 1)
    session = psycopg2.connect(plain, connect_timeout=5)
    session.autocommit = True
    try:
        yield session
    finally:
        session.close()
