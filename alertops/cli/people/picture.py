"""An execution as a person sees it: how it stands, its steps and attempts, and what happened."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from alertops.cli.people.instants import clock
from alertops.cli.people.output import cell, table


def picture(execution: dict[str, Any]) -> RenderableType:
    """What it is, and a line for each step and attempt."""
    head = Text.assemble(cell(execution["status"]), "  ", cell(execution["summary"]))
    return Group(head, Text(), table(("step", "node", "due", "status", "target"), list(_lines(execution))))


def _lines(execution: dict[str, Any]) -> list[tuple[Any, ...]]:
    lines: list[tuple[Any, ...]] = []
    for step in execution["steps"]:
        lines.append((step["number"], step["node_name"], clock(step["due_at"]), step["status"], ""))
        for attempt in step["attempts"]:
            target = f"{attempt['channel']} {attempt['address']}"
            lines.append(
                ("", f"  try {attempt['attempt']}", clock(attempt["due_at"]), attempt["status"], target)
            )
    return lines


def happened(timeline: list[dict[str, Any]]) -> RenderableType:
    """One line for each entry."""
    return table(("at", "event", "step", "detail"), [_entry(entry) for entry in timeline])


def _entry(entry: dict[str, Any]) -> tuple[Any, ...]:
    detail = ", ".join(f"{name} {value}" for name, value in entry["detail"].items())
    return clock(entry["at"]), entry["event"], entry["step"], detail
