"""`alertops prune`: delete what was over long ago."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import click
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alertops.cli.headway import headway
from alertops.db import database_now, session_factory
from alertops.flow_files import durations
from alertops.services.retention.over import MIN_AGE, MIN_AUDIT_AGE, Ages, Sweep, sweeps
from alertops.services.retention.prune import BATCH, count, prune


def at_least(least: timedelta) -> Callable[[click.Context, click.Parameter, str | None], timedelta | None]:
    """Reads an age such as 90d, and refuses what is younger than this."""

    def read(_context: click.Context, _parameter: click.Parameter, value: str | None) -> timedelta | None:
        if value is None:
            return None
        seconds = durations.to_seconds(value)
        if seconds is None:
            raise click.BadParameter(f"{value!r} is not an age such as 90d or 36h")
        age = timedelta(seconds=seconds)
        if age < least:
            raise click.BadParameter(f"at least {durations.to_text(int(least.total_seconds()))}, not {value}")
        return age

    return read


@click.command(name="prune")
@click.option(
    "--older-than",
    "age",
    required=True,
    metavar="AGE",
    callback=at_least(MIN_AGE),
    help="Delete what has been over for this long, such as 90d.",
)
@click.option(
    "--audit-older-than",
    "audit_age",
    metavar="AGE",
    callback=at_least(MIN_AUDIT_AGE),
    help="Delete entries of the audit log of this age too, 365d or more; without it, all are kept.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 5000),
    default=BATCH,
    show_default=True,
    help="Delete so many at a time, each time in a transaction of its own.",
)
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option(
    "--database-url",
    envvar="ALERTOPS_DATABASE_URL",
    required=True,
    show_envvar=True,
    help="The database to delete from.",
)
def prune_(
    age: timedelta, audit_age: timedelta | None, batch: int, *, dry_run: bool, database_url: str
) -> None:
    """Delete executions that were over long ago, with all of theirs, and whatever else has had its day.

    It can run at any time, beside a fleet at work, and be stopped at any time: the next run goes on from
    there. What can still be answered, or still does something, is kept, however old it is.
    """
    with _session(database_url) as session:
        now = database_now(session)
        session.rollback()
        for sweep in sweeps(Ages(age, audit_age), now):
            if dry_run:
                click.echo(f"{sweep.name}: {count(session, sweep):,} to delete")
            else:
                _prune(session, sweep, batch)


def _prune(session: Session, sweep: Sweep, batch: int) -> None:
    kept = 0
    with headway(sweep.name, count(session, sweep)) as advance:
        for done in prune(session, sweep, batch=batch):
            kept += done.kept
            advance(done.deleted)
    if kept:
        click.echo(f"{sweep.name}: {kept:,} kept, as something of them is not over yet")


@contextmanager
def _session(database_url: str) -> Iterator[Session]:
    sessions = session_factory(database_url)
    try:
        with sessions() as session:
            yield session
    except DBAPIError as error:
        reason = str(error.orig).strip()
        raise click.ClickException(
            f"{reason}\nWhat was deleted stays deleted; run it again, and it goes on from there."
        ) from error
    finally:
        sessions.kw["bind"].dispose()
