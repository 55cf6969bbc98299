"""A group whose commands are told in sections, and imported when they are asked for.

What an operator needs (Celery, SQLAlchemy) takes half a second to import; who acknowledges an alert does not
wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

# Section -> name of the command -> where it is, as `module:attribute`.
Sections = Mapping[str, Mapping[str, str]]


class SectionedGroup(click.Group):
    """A group of commands that are named by where they are."""

    def __init__(self, *args: Any, sections: Sections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sections = sections
        self._places = {name: place for section in sections.values() for name, place in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = formatter.width - max(map(len, self._places)) - 6
        for section, places in self._sections.items():
            rows = []
            for name in places:
                command = self.get_command(ctx, name)
                rows.append((name, command.get_short_help_str(width) if command else ""))
            with formatter.section(section):
                formatter.write_dl(rows)
