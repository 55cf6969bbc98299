"""`alertops flow lint`: what is wrong with files, and what is at least strange about them."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Group
from rich.text import Text

from alertops.cli.people.errors import RefusedError
from alertops.cli.people.flow_folder import addresses_of, bad_files, definitions_of, read_all
from alertops.cli.people.output import visible
from alertops.cli.people.shell import TEAM, Shell, asks
from alertops.flow_files.definition import path_in_file
from alertops.flow_files.faults import Fault


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
    faults: list[Fault] = []
    warnings: list[Fault] = []
    if not offline:
        team_id = shell.team(team)["id"]
        definitions = definitions_of(files, addresses_of(shell.api, team_id))
        for file, definition in zip(files, definitions, strict=True):
            try:
                preview = shell.api.post(f"/teams/{team_id}/flows/preview", definition).json
            except RefusedError as error:
                if not error.faults:
                    raise
                faults += [
                    file.document.fault(path_in_file(pointer), detail) for pointer, detail in error.faults
                ]
                continue
            warnings += [
                file.document.fault(path_in_file(each["pointer"]), f"warning: {each['detail']}")
                for each in preview["warnings"]
            ]
    if faults:
        raise bad_files(faults)
    told = [Text(visible(str(warning))) for warning in warnings]
    summary = Text(f"{len(files)} files, {len(warnings)} warnings")
    shell.answer(
        {"files": [file.file for file in files], "warnings": [str(warning) for warning in warnings]},
        lambda: Group(*told, summary),
    )
