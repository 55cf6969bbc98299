"""`alertops flow lint`: what is wrong with files, and what is at least strange about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Group
from rich.text import Text

from alertops.cli.people.file_preview import preview_of
from alertops.cli.people.flow_folder import addresses_of, bad_files, definitions_of, read_all
from alertops.cli.people.output import visible
from alertops.cli.people.shell import TEAM, Shell, asks
from alertops.flow_files.definition import path_in_file
from alertops.flow_files.faults import Fault, FlowFileError
from alertops.flow_files.read import FlowFile


@click.command()
@click.argument("paths", type=click.Path(exists=True, path_type=Path), nargs=-1, required=True)
@click.option("--offline", is_flag=True, help="Ask nobody: only what the files say by themselves.")
@TEAM
@asks
def lint(shell: Shell, paths: tuple[Path, ...], offline: bool, team: str | None) -> None:
    """Check files and folders; exit with 6 if something is wrong.

    Warnings are about flows that can run, and may not do what was meant: the team's API knows them.
    """
    files = read_all(paths)
    warnings = [] if offline else _warnings(shell, shell.team(team)["id"], files)
    told = [Text(visible(str(warning))) for warning in warnings]
    summary = Text(f"{len(files)} files, {len(warnings)} warnings")
    shell.answer(
        {"files": [file.file for file in files], "warnings": [str(warning) for warning in warnings]},
        lambda: Group(*told, summary),
    )


def _warnings(shell: Shell, team_id: str, files: Sequence[FlowFile]) -> list[Fault]:
    """What the API finds strange; `BadFilesError` for all that it finds wrong."""
    definitions = definitions_of(files, addresses_of(shell.api, team_id))
    faults: list[Fault] = []
    warnings: list[Fault] = []
    for file, definition in zip(files, definitions, strict=True):
        try:
            found = preview_of(shell.api, team_id, file, definition, {})["warnings"]
        except FlowFileError as error:
            faults += error.faults
        else:
            warnings += [
                file.document.fault(path_in_file(each["pointer"]), f"warning: {each['detail']}")
                for each in found
            ]
    if faults:
        raise bad_files(faults)
    return warnings
