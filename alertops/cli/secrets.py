"""`alertops secrets`: the keys that seal the secrets in the database, and their rotation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alertops.config import Environment, read_secrets_keys
from alertops.db import engine_options
from alertops.errors import ConfigurationError
from alertops.secret_box import SecretBox, new_key
from alertops.services.rotate_secrets import Progress, rotate_secrets


@click.group()
def secrets() -> None:
    """What seals the secrets in the database, such as those that sign webhooks: ALERTOPS_SECRETS_KEYS."""


@secrets.command()
def generate() -> None:
    """Print a new key for ALERTOPS_SECRETS_KEYS. It is kept nowhere: what it seals, nothing else opens."""
    click.echo(new_key())


@secrets.command()
@click.option(
    "--database-url",
    envvar="ALERTOPS_DATABASE_URL",
    required=True,
    show_envvar=True,
    help="The database with the secrets.",
)
def rotate(database_url: str) -> None:
    """Seal all secrets with the first of ALERTOPS_SECRETS_KEYS.

    To replace a key: put a new one first in ALERTOPS_SECRETS_KEYS, restart all processes of the API and all
    workers, run this, and then take the old one away. It can be cut off and run again. Exits with 1 when
    there are secrets that no key opens; they are left as they are.
    """
    box = _box()
    with _session(database_url) as session:
        progress = Progress()
        for progress in rotate_secrets(session, box):
            click.echo(f"{progress.done} of {progress.total} sealed with the key {box.newest}")
    for stuck in progress.stuck:
        click.echo(f"{stuck.table} {stuck.id}: {stuck.why}", err=True)
    if progress.stuck:
        raise click.exceptions.Exit(1)


def _box() -> SecretBox:
    # From the environment alone: an option would show in the list of processes.
    environment = Environment()
    keys = read_secrets_keys(environment)
    try:
        return environment.finish(lambda: SecretBox(keys))
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _session(database_url: str) -> Iterator[Session]:
    engine = create_engine(database_url, **engine_options())
    try:
        with Session(engine) as session:
            yield session
    except DBAPIError as error:
        raise click.ClickException(f"the database cannot be used: {str(error.orig).strip()}") from error
    finally:
        engine.dispose()
