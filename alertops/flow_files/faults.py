"""What is wrong with a file, and where: `flows/db.yaml:12:5: nodes[1].delay: Say the unit, ...`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alertops.errors import AlertOpsError

# From the top of a document to a value: names of members and positions in lists.
Path = tuple[str | int, ...]

# Nobody reads more than the first few.
MAX_FAULTS = 50


@dataclass(frozen=True, order=True)
class Place:
    """Line and column, both counted from 1, as editors do."""

    line: int
    column: int


@dataclass(frozen=True)
class Fault:
    """Something wrong in a file; without a place, with the file as a whole."""

    file: str
    detail: str
    place: Place | None = None
    path: Path = ()

    def __str__(self) -> str:
        at = f":{self.place.line}:{self.place.column}" if self.place else ""
        about = f"{written(self.path)}: " if self.path else ""
        return f"{self.file}{at}: {about}{self.detail}"


class FlowFileError(AlertOpsError):
    """Files that cannot be used; `faults` names everything that is wrong with them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults[:MAX_FAULTS])
        super().__init__("\n".join(map(str, self.faults)))


def written(path: Path) -> str:
    """The path as people write one: `nodes[1].delay`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
