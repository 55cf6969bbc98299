"""`alertops rebase`: an execution goes on with the newest revision, once its new timeline has been seen."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from alertops.cli.people.instants import clock
from alertops.cli.people.output import print_text, table
from alertops.cli.people.shell import Shell, asks


@click.command()
@click.argument("execution", type=click.UUID)
@click.option("--check", is_flag=True, help="Show what would change, and do nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@asks
def rebase(shell: Shell, execution: str, check: bool, yes: bool) -> None:
    """Move an execution that runs to its flow's newest revision.

    First both timelines are shown; what is done then is what was shown, or it is refused.
    """
    path = f"/executions/{execution}/rebase"
    told = shell.api.post(path, {"apply": False}).json
    if check:
        shell.answer(told, lambda: _side_by_side(told))
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("There is nobody to ask; say --yes, or --check to do nothing.")
        print_text(_side_by_side(told))
        click.confirm("Move it?", abort=True, err=True)
    done = shell.api.post(path, {"apply": True, "revision": told["to_revision"]}).json
    shell.answer(done, lambda: Text(f"Execution {execution} goes on with revision {told['to_revision']}."))


def _side_by_side(told: dict[str, Any]) -> RenderableType:
    revisions = [(told["from_revision"], told["before"]), (told["to_revision"], told["after"])]
    return Group(
        *(
            Group(Text(f"By revision {revision}:"), table(("step", "node", "due"), _rows(steps)), Text())
            for revision, steps in revisions
        )
    )


def _rows(steps: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(step["number"], step["node_name"], clock(step["due_at"])) for step in steps]
