"""The preview of a flow that is in a file and not saved: what it would do, and what is strange about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alertops.cli.people.api import Api
from alertops.cli.people.errors import RefusedError
from alertops.flow_files.definition import path_in_file
from alertops.flow_files.faults import FlowFileError
from alertops.flow_files.read import FlowFile


def preview_of(
    api: Api, team_id: str, file: FlowFile, definition: Mapping[str, Any], what_if: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask the API; raises `FlowFileError` for what it finds wrong with the file."""
    try:
        found: dict[str, Any] = api.post(f"/teams/{team_id}/flows/preview", {**definition, **what_if}).json
    except RefusedError as error:
        if not error.faults:
            raise
        faults = [file.document.fault(path_in_file(pointer), detail) for pointer, detail in error.faults]
        raise FlowFileError(faults) from error
    return found
