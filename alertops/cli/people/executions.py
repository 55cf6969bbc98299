"""`alertops executions`: what runs, what happened, and what happens now."""

from __future__ import annotations

from itertools import islice

import click
from rich.console import Group
from rich.text import Text

from alertops.cli.people.answer_many import STATUSES, answers_many
from alertops.cli.people.instants import clock
from alertops.cli.people.output import table
from alertops.cli.people.picture import happened, picture
from alertops.cli.people.shell import TEAM, Shell, asks
from alertops.cli.people.watch import watch


@click.group()
def executions() -> None:
    """What runs, what happened, and what happens now."""


@executions.command(name="list")
@click.option("--status", type=click.Choice(STATUSES))
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest.")
@TEAM
@asks
def list_(shell: Shell, status: str | None, limit: int, team: str | None) -> None:
    """List executions, newest first."""
    found = shell.api.items(f"/teams/{shell.team(team)['id']}/executions", status=status)
    newest = list(islice(found, limit))
    rows = [
        (each["id"], clock(each["created_at"]), each["status"], each["severity"], each["summary"])
        for each in newest
    ]
    shell.answer(newest, lambda: table(("id", "at", "status", "severity", "summary"), rows))


@executions.command()
@click.argument("execution", type=click.UUID)
@asks
def show(shell: Shell, execution: str) -> None:
    """Show an execution: its steps and attempts, and what happened."""
    shown = shell.api.get(f"/executions/{execution}").json
    timeline = list(shell.api.items(f"/executions/{execution}/timeline"))
    shell.answer({**shown, "timeline": timeline}, lambda: Group(picture(shown), Text(), happened(timeline)))


executions.add_command(watch)
executions.add_command(answers_many("acknowledge", "ack", "Take them"))
executions.add_command(answers_many("resolve", "resolve", "Say that they are over"))
