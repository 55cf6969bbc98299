"""The timelines in the terminal: planned against actual, to the millisecond."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

STYLES = {
    "running": "yellow",
    "acknowledged": "green",
    "resolved": "green",
    "exhausted": "magenta",
    "waiting": "yellow",
    "planned": "dim",
    "fired": "bold",
    "cancelled": "dim",
    "delivered": "green",
    "failed": "red",
    "unknown": "magenta",
    "sending": "yellow",
    "scheduled": "yellow",
}


def frame(executions: Sequence[dict[str, Any]], told: Sequence[str]) -> RenderableType:
    """Every execution's steps, and below them what was done to the system."""
    return Group(*(timeline(execution) for execution in executions), Text("\n".join(told), style="cyan"))


def timeline(execution: dict[str, Any]) -> Table:
    """One execution: a row a step; times are seconds after the alert."""
    table = Table(title_justify="left", expand=False)
    table.title = Text.assemble((execution["summary"], "bold"), "   ", _styled(execution["status"]))
    for heading, justify in (
        ("step", "right"),
        ("node", "left"),
        ("planned", "right"),
        ("due", "right"),
        ("fired", "right"),
        ("late by", "right"),
        ("attempts", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # one of rich's words
    anchor = _instant(execution["anchor_at"])
    for step in execution["steps"]:
        table.add_row(
            str(step["number"]),
            step["node_name"],
            _offset(step["planned_at"], anchor),
            _due(step, anchor),
            _offset(step["fired_at"], anchor) if step["fired_at"] else _styled(step["status"]),
            f"{step['lateness_ms']} ms" if step["fired_at"] else "",
            _attempts(step["attempts"]),
        )
    return table


def _due(step: dict[str, Any], anchor: datetime) -> Text | str:
    if step["due_at"] == step["planned_at"]:
        return _offset(step["due_at"], anchor)
    return Text(f"{_offset(step['due_at'], anchor)} ⇡", style="magenta")


def _attempts(attempts: Sequence[dict[str, Any]]) -> Text:
    told = [
        Text.assemble(_styled(attempt["status"]), " ", (_reply(attempt["detail"]), "dim"))
        for attempt in attempts
    ]
    return Text(" → ").join(told)


def _reply(detail: str | None) -> str:
    """The reply code, which is the first word of what a mail server says."""
    code = (detail or "").split(" ", 1)[0]
    return code if code.isdigit() else ""


def _styled(word: str) -> Text:
    return Text(word, style=STYLES.get(word, ""))


def _offset(at: str, anchor: datetime) -> str:
    return f"+{(_instant(at) - anchor).total_seconds():.3f} s"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
