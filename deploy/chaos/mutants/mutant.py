"""A mutant as data, and how it is planted into a copy of the sources."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.fleet import CHECKOUT

# What a fleet runs.
SOURCES = ("alertops", "api", "tasks", "celeryconfig.py")


class StaleMutantError(LocalStackError):
    """The sources have changed, and the mutant is none of them any more."""


@dataclass(frozen=True)
class Edit:
    """Replaces a text that is in the file exactly once."""

    file: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """The text of the file with the bug in it."""
        count = text.count(self.old)
        if count != 1:
            raise StaleMutantError(
                f"A mutant of {self.file} is out of date. "
                f"This must be there once, and is there {count} times:\n{self.old}"
            )
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Mutant:
    """A bug: one sentence, the edits that make it, and the promises of which it should break one.

    `besides` says which other mechanisms had to be taken away with it, as each alone makes the bug harmless;
    `statements` take those away that are in the database.
    """

    name: str
    what: str
    schedule: str
    breaks: tuple[str, ...]
    edits: tuple[Edit, ...]
    besides: str = ""
    statements: tuple[str, ...] = ()

    def plant(self, sources: Path) -> None:
        """Put the bug into these sources; `StaleMutantError` when it does not fit them."""
        for edit in self.edits:
            file = sources / edit.file
            file.write_text(edit.apply(file.read_text()))


def copy_sources(to: Path) -> None:
    """A copy of what a fleet runs, with no bug in it yet."""
    to.mkdir(parents=True)
    for name in SOURCES:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, to / name)
