"""A file as a person wrote it -> the flow that it describes, or everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alertops.flow_files.check import faults_of
from alertops.flow_files.faults import Fault, FlowFileError
from alertops.flow_files.parse import Document, parse

MAX_BYTES = 256 * 1024


@dataclass(frozen=True)
class FlowFile:
    """A file that is as the schema says. `content` is in the file's words."""

    document: Document

    @property
    def file(self) -> str:
        return self.document.file

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = self.document.value
        return content

    @property
    def name(self) -> str:
        return str(self.content["name"])


def read_flow_file(path: Path) -> FlowFile:
    """Read one file; raises `FlowFileError`. No more of it is read than a flow can need."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise FlowFileError([Fault(file, f"Cannot be read: {error.strerror}.")]) from error
    if len(data) > MAX_BYTES:
        raise FlowFileError([Fault(file, f"More than {MAX_BYTES // 1024} KiB; a flow is a few.")])
    try:
        return read_flow(data.decode("utf-8-sig"), file)
    except UnicodeDecodeError as error:
        raise FlowFileError([Fault(file, f"Not UTF-8: byte {error.start} cannot be read.")]) from error


def read_flow(text: str, file: str) -> FlowFile:
    """Read the text of a file; `file` is what faults call it."""
    document = parse(text, file)
    if faults := faults_of(document):
        raise FlowFileError(faults)
    return FlowFile(document)
