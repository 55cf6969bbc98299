"""What stops a command: a sentence on standard error, and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from alertops.cli.people import exits
from alertops.cli.people.output import visible


class RefusedError(click.ClickException):
    """The API understood, and said no. `problem` is its document (RFC 9457)."""

    exit_code = exits.REFUSED

    def __init__(self, problem: dict[str, Any]) -> None:
        self.problem = problem
        super().__init__("\n".join(_sentences(problem)))

    @property
    def status(self) -> int:
        return int(self.problem.get("status", 0))

    @property
    def faults(self) -> list[tuple[str, str]]:
        """Pointers into the body, and what is wrong there."""
        return [
            (error["pointer"], error["detail"])
            for error in self.problem.get("errors", [])
            if "pointer" in error
        ]


class UnreachableError(click.ClickException):
    """There is no API there, or none that can answer now."""

    exit_code = exits.UNREACHABLE


class NotLoggedInError(click.ClickException):
    """The API wants to know who is asking."""

    exit_code = exits.NOT_LOGGED_IN


class BadFilesError(click.ClickException):
    """Files that cannot be used; each line is a fault with its place."""

    exit_code = exits.BAD_FILES

    def show(self, file: Any = None) -> None:
        """Without a word before it, so that editors find the places."""
        click.echo(self.message, err=True, file=file)


def _sentences(problem: dict[str, Any]) -> Iterator[str]:
    yield visible(str(problem.get("detail") or problem.get("title") or "The API refused."))
    for error in problem.get("errors", []):
        yield visible(f"  {error.get('pointer') or error.get('parameter') or 'body'}: {error.get('detail')}")
    current = problem.get("current")
    if isinstance(current, dict) and current:
        yield visible("  now: " + ", ".join(f"{name} {value}" for name, value in current.items()))
