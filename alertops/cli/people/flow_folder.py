"""The files that a command line names: all are read before anything is done, and every fault is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from alertops.cli.people.api import Api
from alertops.cli.people.errors import BadFilesError
from alertops.flow_files.definition import definition_of
from alertops.flow_files.faults import Fault, FlowFileError
from alertops.flow_files.read import FlowFile, read_flow_file

ENDINGS = (".yaml", ".yml")


def read_all(paths: Iterable[Path]) -> list[FlowFile]:
    """The flows in these files, and in the YAML files of these folders and below; no two of one name."""
    faults: list[Fault] = []
    files: list[FlowFile] = []
    for path in _files(paths):
        try:
            files.append(read_flow_file(path))
        except FlowFileError as error:
            faults += error.faults
    faults += _same_names(files)
    if faults:
        raise bad_files(faults)
    if not files:
        raise BadFilesError("There is no file that ends with .yaml or .yml there.")
    return files


def definitions_of(files: Iterable[FlowFile], members: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the files say, as the API takes it; `members` are the addresses of the team's by their ids."""
    user_ids = {address.lower(): user_id for user_id, address in members.items()}
    faults: list[Fault] = []
    definitions = []
    for file in files:
        try:
            definitions.append(definition_of(file, user_ids))
        except FlowFileError as error:
            faults += error.faults
    if faults:
        raise bad_files(faults)
    return definitions


def addresses_of(api: Api, team_id: str) -> dict[str, str]:
    """The members' addresses by their ids."""
    return {member["id"]: member["email"] for member in api.items(f"/teams/{team_id}/members")}


def bad_files(faults: Iterable[Fault]) -> BadFilesError:
    """The error that tells these faults, a line for each."""
    return BadFilesError("\n".join(map(str, faults)))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    seen = set()
    for path in paths:
        inside = (
            sorted(each for each in path.rglob("*") if each.suffix in ENDINGS) if path.is_dir() else [path]
        )
        for each in inside:
            if each.resolve() not in seen:
                seen.add(each.resolve())
                yield each


def _same_names(files: Iterable[FlowFile]) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for file in files:
        if file.name in first:
            yield file.document.fault(("name",), f"{first[file.name]} has a flow of this name too.")
        first.setdefault(file.name, file.file)
