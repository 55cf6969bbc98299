"""A connection to the broker for a command, or a sentence that says why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from amqp.exceptions import AMQPError, NotFound
from kombu import Connection
from kombu.exceptions import KombuError

CONNECT_SECONDS = 5

BROKER_URL = click.option(
    "--broker-url", envvar="ALERTOPS_BROKER_URL", required=True, show_envvar=True, help="The broker to ask."
)


def tries(broker_url: str) -> int:
    """After how many failures to give up: each node of a cluster is asked, and a single one a second time."""
    return max(1, broker_url.count(";"))


@contextmanager
def connected(broker_url: str) -> Iterator[Connection]:
    """Ends the command when the broker does not answer, or has not what was asked for."""
    try:
        with Connection(broker_url, connect_timeout=CONNECT_SECONDS) as connection:
            connection.ensure_connection(max_retries=tries(broker_url), interval_start=0)
            yield connection
    except NotFound as error:
        raise click.ClickException("There is no such queue: no worker has started yet.") from error
    except (OSError, AMQPError, KombuError) as error:
        raise click.ClickException(f"The broker does not answer: {error}") from error
