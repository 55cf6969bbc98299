"""What a command prints: tables for people, JSON for programs, and messages on standard error.

Names and summaries were typed by somebody else; they are shown, and never obeyed, by the terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

STYLES = {
    "running": "yellow",
    "acknowledged": "green",
    "snoozed": "blue",
    "resolved": "green",
    "exhausted": "magenta",
    "cancelled": "dim",
    "waiting": "yellow",
    "planned": "dim",
    "fired": "bold",
    "scheduled": "yellow",
    "sending": "yellow",
    "delivered": "green",
    "failed": "red",
    "unknown": "magenta",
}


def visible(text: str) -> str:
    """The text without characters that would steer a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def cell(value: Any) -> Text:
    """One value in a table; words that say how things stand have their colour."""
    text = "" if value is None else visible(str(value)).replace("\n", " ")
    return Text(text, style=STYLES.get(text, ""))


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Rows below the names of their columns."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        # An id is copied; one that is folded or cut cannot be.
        made.add_column(column, no_wrap=column in ("id", "at"), overflow="fold")
    for row in rows:
        made.add_row(*map(cell, row))
    return made


def print_text(content: RenderableType) -> None:
    """For people; colours only in a terminal, and not with NO_COLOR."""
    console().print(content)


def console() -> Console:
    """The terminal. What is not one is as wide as its longest line, so that nothing is folded in a pipe."""
    made = Console(highlight=False, markup=False, emoji=False)
    return made if made.is_terminal else Console(highlight=False, markup=False, emoji=False, width=500)


def print_json(value: Any) -> None:
    """For programs: the API's own answer, or what the command documents."""
    click.echo(json.dumps(value, indent=2))


def say(message: str) -> None:
    """Tell something that is not the answer."""
    click.echo(visible(message), err=True)
