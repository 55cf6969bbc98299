"""`alertops executions ack` and `resolve`: one answer to all that a filter finds, a hundred at a time.

Whoever wants the next hundred asks again: among them may be alerts that nobody has seen yet.
"""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.text import Text

from alertops.cli.people.instants import instant
from alertops.cli.people.shell import TEAM, Shell, asks

STATUSES = ("running", "acknowledged", "snoozed", "resolved", "exhausted", "cancelled")
SEVERITIES = ("critical", "error", "warning", "info")


def answers_many(operation: str, name: str, said: str) -> click.Command:
    """The command that asks the API for `operation` on all that its options describe."""

    @click.command(name=name, help=f"{said}: all executions that the options describe, after asking.")
    @click.option("--status", type=click.Choice(STATUSES))
    @click.option("--severity", type=click.Choice(SEVERITIES))
    @click.option("--flow", help="Name or id of a flow of the team.")
    @click.option("--dedup-key")
    @click.option(
        "--before", "created_before", type=instant, metavar="TIME", help="Alerts that came before then."
    )
    @click.option("--note", help="Said on each timeline.")
    @click.option("--yes", "-y", is_flag=True, help="Do not ask.")
    @TEAM
    @asks
    def command(
        shell: Shell, *, flow: str | None, note: str | None, yes: bool, team: str | None, **which: str | None
    ) -> None:
        wanted = {name: value for name, value in which.items() if value is not None}
        if flow is not None:
            wanted["flow_id"] = shell.flow(flow, team).json["id"]
        if not wanted:
            raise click.UsageError("Say which: --status, --severity, --flow, --dedup-key or --before.")
        if not yes:
            _confirm(operation, wanted)
        path = f"/teams/{shell.team(team)['id']}/executions/{operation}"
        done = shell.api.post(path, wanted | ({"note": note} if note else {})).json
        shell.answer(done, lambda: Text(_told(done)))

    return command


def _confirm(operation: str, wanted: dict[str, str]) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask; say --yes.")
    conditions = ", ".join(f"{name} {value}" for name, value in wanted.items())
    click.confirm(f"{operation.capitalize()} all with {conditions}?", abort=True, err=True)


def _told(done: dict[str, Any]) -> str:
    told = f"{len(done['changed'])} changed, {len(done['unchanged'])} were so already."
    return f"{told} There are more: ask again." if done["more"] else told
