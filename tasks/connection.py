"""A connection to ask the broker something: made anew, so never a dead one, and bounded in time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from kombu import Connection

from alertops.errors import BrokerUnavailableError
from tasks.brokers import BROKER_ERRORS, nodes


@contextmanager
def brief_connection(app: Celery, seconds: float) -> Iterator[Connection]:
    """Each word to and from the broker takes this long at most; else `BrokerUnavailableError` is raised."""
    limits = {"read_timeout": seconds, "write_timeout": seconds, "max_retries": 0}

    def connect(url: str, within: float) -> Connection:
        connection = app.connection_for_write(
            url, heartbeat=0, connect_timeout=within, transport_options=limits
        )
        try:
            # Asking for this channel connects, once; any other way would sleep 2 s and try again.
            _ = connection.default_channel
        except BROKER_ERRORS:
            connection.collect(socket_timeout=1)
            raise
        return connection

    try:
        connection = nodes(app).connect(connect, seconds)
        try:
            yield connection
        finally:
            connection.collect(socket_timeout=1)
    except BROKER_ERRORS as error:
        raise BrokerUnavailableError(f"{type(error).__name__}: {error}") from error
