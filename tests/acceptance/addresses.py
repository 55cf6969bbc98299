"""A database and a vhost for a fleet of the tests, migrated and empty."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine

from alertops.schema import migrate
from deploy.local.databases import create_database, drop_database
from deploy.local.stack import Addresses, PrivateStack


@contextmanager
def own_addresses(stack: PrivateStack, name: str) -> Iterator[Addresses]:
    """Made on the servers of the stack under this name, and gone afterwards."""
    name = f"{name}_{os.getpid()}"
    server = stack.addresses.database_url
    database_url = create_database(server, name)
    engine = create_engine(database_url)
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()
    yield Addresses(database_url, stack.rabbitmq.create_vhost(name))
    stack.rabbitmq.delete_vhost(name)
    drop_database(server, name)
