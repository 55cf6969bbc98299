"""`alertops verify`: were the promises kept, as far as this database can tell?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alertops.db import engine_options
from alertops.verify.evidence import evidence
from alertops.verify.history import within
from alertops.verify.promises import PROMISES, Verdict, judge_rows
from alertops.verify.read import read_histories

# Of executions with broken promises, as many are told in full.
SHOWN = 10


def instant(value: str) -> datetime:
    """A time in ISO 8601; one without an offset is UTC."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a time such as 2026-01-31T12:00:00Z") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@click.command()
@click.option(
    "--since", type=instant, metavar="ISO-8601", help="Only executions that began at this time or later."
)
@click.option(
    "--database-url",
    envvar="ALERTOPS_DATABASE_URL",
    required=True,
    show_envvar=True,
    help="The database to check; it is only read.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="Seconds after which what was due is late or lost; the default is what is promised.",
)
def verify(since: datetime | None, database_url: str, patience: float) -> None:
    """Hold every execution in the database against its plan; exit with 1 when a promise was broken.

    It can run at any time, beside a fleet at work. What takes the mails to check (that each arrived,
    and once) is left out.
    """
    with _session(database_url) as session:
        verdict = Verdict()
        for history in read_histories(session, within(timedelta(seconds=patience)), since=since):
            judge_rows(verdict, history)
        _print_broken(session, verdict)
    _print_counts(verdict)
    if verdict.violations:
        raise click.exceptions.Exit(1)


@contextmanager
def _session(database_url: str) -> Iterator[Session]:
    """A session that cannot write, whatever it is asked for."""
    engine = create_engine(database_url, **engine_options(), execution_options={"postgresql_readonly": True})
    try:
        with Session(engine) as session:
            yield session
    except DBAPIError as error:
        raise click.ClickException(f"the database cannot be read: {str(error.orig).strip()}") from error
    finally:
        engine.dispose()


def _print_broken(session: Session, verdict: Verdict) -> None:
    for violation in verdict.violations:
        click.echo(f"BROKEN {violation}")
    for execution_id in list(dict.fromkeys(violation.execution_id for violation in verdict.violations))[
        :SHOWN
    ]:
        click.echo(f"\nexecution {execution_id}")
        for line in evidence(session, execution_id):
            click.echo(f"  {line}")


def _print_counts(verdict: Verdict) -> None:
    click.echo(f"{verdict.executions} executions checked")
    for promise, sentence in PROMISES.items():
        click.echo(f"{verdict.checked[promise]:>9} x {sentence}")
    click.echo("not checked, as it takes the mails: that each was received, and once")
    count = len(verdict.violations)
    click.echo(f"{count} times a promise was broken" if count else "all promises kept")
