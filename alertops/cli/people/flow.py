"""`alertops flow`: how alerts escalate, as the API has it and as files."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from alertops.cli.people.apply import apply
from alertops.cli.people.flow_folder import addresses_of, bad_files
from alertops.cli.people.flow_words import recipient_in_words
from alertops.cli.people.lint import lint
from alertops.cli.people.output import cell, say, table, visible
from alertops.cli.people.shell import TEAM, Shell, asks
from alertops.flow_files import durations
from alertops.flow_files.definition import content_of
from alertops.flow_files.faults import FlowFileError
from alertops.flow_files.read import read_flow
from alertops.flow_files.schema import flow_schema
from alertops.flow_files.write import write_flow


@click.group()
def flow() -> None:
    """How alerts escalate, as the API has it and as files."""


flow.add_command(apply)
flow.add_command(lint)


@flow.command(name="list")
@click.option("--archived", is_flag=True, help="Those that were archived, instead of those in use.")
@TEAM
@asks
def list_(shell: Shell, archived: bool, team: str | None) -> None:
    """List the team's flows, newest first."""
    query = {"archived": "true"} if archived else {}
    flows = list(shell.api.items(f"/teams/{shell.team(team)['id']}/flows", **query))
    rows = [(each["id"], each["name"], len(each["nodes"]), each["revision"]) for each in flows]
    shell.answer(flows, lambda: table(("id", "name", "nodes", "revision"), rows))


@flow.command()
@click.argument("flow")
@TEAM
@asks
def show(shell: Shell, flow: str, team: str | None) -> None:
    """Show FLOW, by its name or id: who is told, and when."""
    found = shell.flow(flow, team).json
    addresses = addresses_of(shell.api, found["team_id"])
    shell.answer(found, lambda: _picture(found, addresses))


@flow.command()
@click.argument("flow", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All flows of the team that are in use.")
@click.option(
    "--to", type=click.Path(file_okay=False, path_type=Path), help="A file for each, in this folder."
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@TEAM
@asks
def export(
    shell: Shell, *, flow: tuple[str, ...], every: bool, to: Path | None, force: bool, team: str | None
) -> None:
    """Write flows as files for `alertops flow apply`: one to standard output, or many --to a folder."""
    if every == bool(flow):
        raise click.UsageError("Name flows, or say --all.")
    if to is None and (every or len(flow) > 1):
        raise click.UsageError("More than one flow needs a folder: --to.")
    team_id = shell.team(team)["id"] if every else None
    flows = (
        list(shell.api.items(f"/teams/{team_id}/flows"))
        if every
        else [shell.flow(each, team).json for each in flow]
    )
    addresses = addresses_of(shell.api, flows[0]["team_id"]) if flows else {}
    contents = [content_of(each, addresses) for each in flows]
    texts = [_readable(content) for content in contents]
    if to is None:
        shell.answer_raw(contents[0], texts[0])
    else:
        shell.answer(
            _written(to, contents, texts, force=force), lambda: Text(f"{len(contents)} files in {to}")
        )


@flow.command()
def schema() -> None:
    """Print the JSON Schema of flow files, for editors that complete and check them."""
    click.echo(json.dumps(flow_schema(), indent=2))


def _readable(content: dict[str, Any]) -> str:
    """The text of the file; `BadFilesError` where the API allows what a file cannot say."""
    text = write_flow(content)
    try:
        read_flow(text, visible(content["name"]))
    except FlowFileError as error:
        # Its lines are of a file that is not written.
        raise bad_files(replace(fault, place=None) for fault in error.faults) from error
    return text


def _written(
    folder: Path, contents: Sequence[dict[str, Any]], texts: Sequence[str], *, force: bool
) -> list[str]:
    names = [f"{_file_name(content['name'])}.yaml" for content in contents]
    if len(set(names)) < len(names):
        raise click.ClickException(
            "Two of the flows would have the same file: rename one, or export them apart."
        )
    files = [folder / name for name in names]
    if there := [str(file) for file in files if file.exists() and not force]:
        raise click.ClickException(f"There already, and left alone without --force: {', '.join(there)}.")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
        say(f"wrote {file}")
    return [str(file) for file in files]


def _file_name(name: str) -> str:
    """A name that every file system takes; never one of a folder above."""
    return re.sub(r"[^\w]+", "-", name.lower()).strip("-_")[:80] or "flow"


def _groups(flow: dict[str, Any]) -> str:
    window = durations.to_text(flow["group_window_seconds"])
    return visible(f"groups alerts by {', '.join(flow['group_by'])} for {window}")


def _picture(flow: dict[str, Any], addresses: dict[str, str]) -> RenderableType:
    offsets = accumulate(node["delay_seconds"] for node in flow["nodes"])
    rows = [
        (
            number,
            f"+{durations.to_text(offset)}",
            node["name"],
            recipient_in_words(node["recipient"], addresses),
        )
        for number, (offset, node) in enumerate(zip(offsets, flow["nodes"], strict=True), start=1)
    ]
    about = [f"revision {flow['revision']}", f"repeats {flow['repeat']} times"]
    about += [_groups(flow)] if flow.get("group_by") else []
    about += ["archived"] if flow["archived_at"] else []
    description = [Text(visible(flow["description"]))] if flow["description"] else []
    nodes = table(("node", "fires", "name", "recipient"), rows)
    warnings = [
        Text(visible(f"warning: {each['detail']}"), style="yellow") for each in flow.get("warnings", [])
    ]
    return Group(
        Text.assemble(cell(flow["name"]), f"  ({', '.join(about)})"), *description, Text(), nodes, *warnings
    )
