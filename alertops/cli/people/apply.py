"""`alertops flow apply`: make a team's flows what its files say.

::

    read all files ─▶ plan ─▶ show ─▶ ask ─▶ apply, a flow at a time ─▶ told what was done
         └─ a fault: all are told, and nothing is done

Each flow changes whole or not at all. One that somebody changed since it was looked at is told, and left
alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from alertops.cli.people import exits
from alertops.cli.people.errors import RefusedError
from alertops.cli.people.flow_folder import read_all
from alertops.cli.people.flow_plan import Intent, Plan, plan_flows
from alertops.cli.people.flow_words import diff_in_words
from alertops.cli.people.output import print_json, print_text, say, visible
from alertops.cli.people.shell import TEAM, Shell, asks
from alertops.flow_files.definition import path_in_file

_SIGNS = {"create": "+", "change": "~", "archive": "-", "same": "="}
_COLOURS = {"+": "green", "-": "red", "~": "yellow", "=": "dim"}
_STALE = 412


@click.command()
@click.option(
    "-f",
    "--file",
    "paths",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    required=True,
    help="A file, or a folder of files; may be repeated.",
)
@click.option("--prune", is_flag=True, help="Archive the team's flows that no file describes.")
@click.option("--check", is_flag=True, help="Show what would be done; exit with 5 if there is something.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@TEAM
@asks
def apply(
    shell: Shell, *, paths: tuple[Path, ...], prune: bool, check: bool, yes: bool, team: str | None
) -> None:
    """Make the team's flows what the files say.

    All files are read first: if one has a fault, all faults are told, and nothing is done.
    """
    files = read_all(paths)
    plan = plan_flows(shell.api, shell.team(team)["id"], files, prune=prune)
    if not shell.as_json:
        print_text(_shown(plan))
    if check or not plan.changes:
        _tell(shell, plan, {})
        raise click.exceptions.Exit(exits.CHANGES if plan.changes else 0)
    if not yes:
        _ask(plan)
    results = {intent.name: _done(shell, plan, intent) for intent in plan.changes}
    _tell(shell, plan, results)
    if any(results.values()):
        raise click.exceptions.Exit(exits.REFUSED)


def _ask(plan: Plan) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask; say --yes, or --check to do nothing.")
    click.confirm(f"Do this to {len(plan.changes)} flows?", abort=True, err=True)


def _done(shell: Shell, plan: Plan, intent: Intent) -> str | None:
    """Do it; None, or why it was refused."""
    try:
        if intent.action == "create":
            shell.api.post(f"/teams/{plan.team_id}/flows", intent.body)
        elif intent.action == "change":
            shell.api.call("PUT", f"/flows/{intent.flow_id}", intent.body, seen=intent.etag)
        else:
            shell.api.call("DELETE", f"/flows/{intent.flow_id}", seen=intent.etag)
    except RefusedError as error:
        return _why(intent, error)
    return None


def _why(intent: Intent, error: RefusedError) -> str:
    if error.status == _STALE:
        return "Somebody changed it since it was looked at; it is left as it is. Run this again."
    if intent.file is None or not error.faults:
        return error.message
    faults = [intent.file.document.fault(path_in_file(pointer), detail) for pointer, detail in error.faults]
    return "\n".join(map(str, faults))


def _shown(plan: Plan) -> RenderableType:
    return Group(*(line for intent in plan.intents for line in _lines(intent, plan)))


def _lines(intent: Intent, plan: Plan) -> Sequence[Text]:
    sign = _SIGNS[intent.action]
    where = f"  ({intent.file.file})" if intent.file else ""
    head = Text(visible(f"{sign} {intent.action} {intent.name}{where}"), style=_COLOURS[sign])
    if intent.diff is None:
        return [head]
    words = diff_in_words(intent.diff, plan.addresses)
    return [head, *(Text(visible(f"    {begin} {text}"), style=_COLOURS[begin]) for begin, text in words)]


def _tell(shell: Shell, plan: Plan, results: dict[str, str | None]) -> None:
    """What was done with each flow; nothing, if there are no results."""
    if shell.as_json:
        print_json({"flows": [_as_json(intent, results) for intent in plan.intents]})
    for name, refusal in results.items():
        if refusal is not None:
            say(f"{name}: not done.\n{refusal}")
    if not plan.changes:
        say("Nothing to do.")
    elif results:
        done = sum(refusal is None for refusal in results.values())
        say(f"{done} of {len(results)} done.")


def _as_json(intent: Intent, results: dict[str, str | None]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": intent.name,
        "action": intent.action,
        "file": intent.file.file if intent.file else None,
        "flow_id": intent.flow_id,
        "diff": asdict(intent.diff) if intent.diff else None,
        "done": intent.name in results and results[intent.name] is None,
    }
    return told | {"refusal": results.get(intent.name)}
