"""`alertops dead-letters`: messages that could not be worked on, and what to do with them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from alertops.cli.broker import BROKER_URL, connected
from tasks import dead_letters
from tasks.dead_letters import DeadLetter

LIMIT = click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    help="Look at so many, oldest first.",
)
IDS = click.argument("ids", nargs=-1)
ALL = click.option("--all", "every", is_flag=True, help="All that are looked at, instead of naming ids.")


@click.group(name="dead-letters")
@BROKER_URL
@click.pass_context
def dead_letters_group(context: click.Context, broker_url: str) -> None:
    """Messages that were set aside: unreadable, of an unknown task, or failing each time.

    None of them is the truth: a step or attempt that one was to wake is dispatched again by recovery.
    """
    context.obj = broker_url


@dead_letters_group.command(name="list")
@LIMIT
@click.pass_obj
def list_(broker_url: str, limit: int) -> None:
    """Tell how many there are, and what each is about."""
    with connected(broker_url) as connection:
        click.echo(f"{dead_letters.count(connection)} dead letters")
        for letter in dead_letters.look(connection, limit):
            click.echo(_line(letter))


@dead_letters_group.command()
@click.argument("id_", metavar="ID")
@LIMIT
@click.pass_obj
def show(broker_url: str, id_: str, limit: int) -> None:
    """Show one whole, with its headers, as JSON."""
    with connected(broker_url) as connection:
        found = [letter for letter in dead_letters.look(connection, limit) if letter.id == id_]
    if not found:
        raise click.ClickException(f"There is no dead letter {id_} among the first {limit}.")
    click.echo(json.dumps(vars(found[0]), indent=2))


@dead_letters_group.command()
@IDS
@ALL
@LIMIT
@click.pass_obj
def retry(broker_url: str, ids: tuple[str, ...], every: bool, limit: int) -> None:
    """Put them back on the queues that they came from."""
    with connected(broker_url) as connection:
        done = dead_letters.retry(connection, _wanted(ids, every), limit)
    _report("retried", done, ids, limit)


@dead_letters_group.command()
@IDS
@ALL
@LIMIT
@click.pass_obj
def drop(broker_url: str, ids: tuple[str, ...], every: bool, limit: int) -> None:
    """Delete them for good."""
    with connected(broker_url) as connection:
        done = dead_letters.drop(connection, _wanted(ids, every), limit)
    _report("dropped", done, ids, limit)


def _wanted(ids: Sequence[str], every: bool) -> set[str] | None:
    if every == bool(ids):
        raise click.UsageError("Name the ids of dead letters, or say --all.")
    return None if every else set(ids)


def _report(did: str, done: Sequence[DeadLetter], ids: Sequence[str], limit: int) -> None:
    for letter in done:
        click.echo(f"{did} {_line(letter)}")
    missing = set(ids) - {letter.id for letter in done}
    if missing:
        raise click.ClickException(f"Not among the first {limit}: {', '.join(sorted(missing))}.")


def _line(letter: DeadLetter) -> str:
    return f"{letter.id}  {letter.queue}  {letter.reason}  {letter.task}  {letter.args}"
