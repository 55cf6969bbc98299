"""`alertops restored`: what to say to a database that was restored from a backup, before workers start."""

from __future__ import annotations

import logging

import click
import structlog
from sqlalchemy.exc import DBAPIError

from alertops.db import session_factory
from alertops.errors import ConflictError
from alertops.services.after_restore import Doubted, doubt_what_came_due

TOLD_EVERY = 1000


@click.command()
@click.option(
    "--database-url",
    envvar="ALERTOPS_DATABASE_URL",
    required=True,
    show_envvar=True,
    help="The database that was restored.",
)
@click.option(
    "--confirm-outsiders/--no-confirm-outsiders",
    envvar="ALERTOPS_CONFIRM_OUTSIDERS",
    default=False,
    show_envvar=True,
    help="As the workers are told: whether addresses outside a team must have agreed.",
)
def restored(database_url: str, *, confirm_outsiders: bool) -> None:
    """Say that this database was restored from a backup. No API process and no worker may run.

    What came due since the backup was made may have been sent, and nobody remembers. Each such send is
    marked: it is made again under the same key, and says that it may be a repeat, or is held as unknown, as
    its node says. What was not due yet fires on time. Safe to repeat.
    """
    # What is fired here is told by the counts.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    sessions = session_factory(database_url)
    done = Doubted()
    try:
        with sessions() as session:
            for done in doubt_what_came_due(session, confirmed_only=confirm_outsiders):
                if done.executions and done.executions % TOLD_EVERY == 0:
                    click.echo(f"{done.executions:,} executions so far")
    except ConflictError as error:
        raise click.ClickException(str(error)) from error
    except DBAPIError as error:
        reason = str(error.orig).strip()
        raise click.ClickException(f"{reason}\nNothing is lost by running it again.") from error
    finally:
        sessions.kw["bind"].dispose()
    click.echo(
        f"{done.executions:,} executions caught up with: {done.fired:,} steps and timers fired,"
        f" {done.sends:,} sends and {done.letters:,} letters may have been made before;"
        f" {done.heartbeats:,} heartbeats are due a period from now. Workers may start."
    )
