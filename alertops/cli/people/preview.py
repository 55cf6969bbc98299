"""`alertops preview`: what a flow will do, to the second, before it has to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from alertops.cli.people.file_preview import preview_of
from alertops.cli.people.flow_folder import ENDINGS, addresses_of, bad_files, definitions_of, read_all
from alertops.cli.people.instants import clock, instant
from alertops.cli.people.output import table, visible
from alertops.cli.people.shell import TEAM, Shell, asks
from alertops.flow_files import durations
from alertops.flow_files.faults import FlowFileError

AXIS_WIDTH = 32


def moment(value: str) -> str | int:
    """A time, or so long after the start, in seconds."""
    seconds = durations.to_seconds(value)
    return instant(value) if seconds is None else seconds


@click.command()
@click.argument("flow", metavar="FLOW|FILE")
@click.option("--start", type=instant, metavar="TIME", help="When the alert comes; now, if not said.")
@click.option(
    "--acknowledge-at",
    type=moment,
    metavar="TIME|DURATION",
    help="Somebody answers then, or so long after the start.",
)
@click.option(
    "--fail",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="NODE",
    help="Nobody of this node can be reached.",
)
@click.option(
    "--unknown",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="NODE",
    help="Nobody can say whether this node's arrived.",
)
@TEAM
@asks
def preview(
    shell: Shell,
    flow: str,
    *,
    start: str | None,
    acknowledge_at: str | int | None,
    fail: tuple[int, ...],
    unknown: tuple[int, ...],
    team: str | None,
) -> None:
    """Show what a flow of the team, or one in a file, would do. Nodes are numbered from 1."""
    start = start or datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    what_if: dict[str, Any] = {"start": start}
    if acknowledge_at is not None:
        what_if["acknowledge_at"] = _time(start, acknowledge_at)
    for name, nodes in (("fail", fail), ("unknown", unknown)):
        if nodes:
            what_if[name] = ",".join(map(str, nodes))
    found = (
        _of_file(shell, Path(flow), what_if, team) if _is_file(flow) else _of_flow(shell, flow, what_if, team)
    )
    shell.answer(found, lambda: picture(found))


def _is_file(named: str) -> bool:
    return Path(named).suffix in ENDINGS


def _of_flow(shell: Shell, named: str, what_if: dict[str, Any], team: str | None) -> dict[str, Any]:
    flow = shell.flow(named, team).json
    found: dict[str, Any] = shell.api.get(f"/flows/{flow['id']}/preview", **what_if).json
    return found


def _of_file(shell: Shell, path: Path, what_if: dict[str, Any], team: str | None) -> dict[str, Any]:
    files = read_all([path])
    team_id = shell.team(team)["id"]
    definition = definitions_of(files, addresses_of(shell.api, team_id))[0]
    try:
        return preview_of(shell.api, team_id, files[0], definition, what_if)
    except FlowFileError as error:
        raise bad_files(error.faults) from error


def picture(preview: dict[str, Any]) -> RenderableType:
    """A time axis from the start to the end, with what happens beside it."""
    entries = preview["timeline"]
    end = max((entry["offset_seconds"] for entry in entries), default=0)
    rows = [
        (
            f"+{durations.to_text(round(entry['offset_seconds']))}",
            _axis(entry["offset_seconds"], end),
            *_told(entry),
        )
        for entry in entries
    ]
    ends = f", and is {preview['status']}" + (
        f" at {clock(preview['ends_at'])}" if preview["ends_at"] else ""
    )
    warnings = [Text(visible(f"warning: {each['detail']}"), style="yellow") for each in preview["warnings"]]
    return Group(
        Text(f"Starts at {clock(preview['start'])} UTC{ends}."),
        *_maintenance(preview.get("maintenance")),
        Text(),
        table(("at", "", "step", "what happens", ""), rows),
        *warnings,
    )


def _maintenance(met: dict[str, Any] | None) -> list[Text]:
    """What an alert would meet at the start; an API of an earlier release does not say."""
    if met is None:
        return []
    what = "drops it" if met["mode"] == "drop" else f"holds it until {clock(met['until'])} UTC"
    return [Text(visible(f"maintenance: {met['name']} {what}"), style="yellow")]


def _axis(offset: float, end: float) -> str:
    place = round(offset / end * (AXIS_WIDTH - 1)) if end else 0
    return "─" * place + "●" + " " * (AXIS_WIDTH - 1 - place)


def _told(entry: dict[str, Any]) -> tuple[Any, str, str]:
    attempt = f", try {entry['attempt_number']}" if entry.get("attempt_number") else ""
    about = entry.get("detail") or {}
    detail = (
        ", ".join(f"{name} {value}" for name, value in about.items())
        if isinstance(about, dict)
        else str(about)
    )
    node = entry.get("node_name") or ""
    return entry.get("step_number"), f"{node} {entry['event'].replace('_', ' ')}{attempt}".strip(), detail


def _time(start: str, moment: str | int) -> str:
    if isinstance(moment, str):
        return moment
    at = datetime.fromisoformat(start) + timedelta(seconds=moment)
    return at.isoformat().replace("+00:00", "Z")
