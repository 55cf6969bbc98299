"""`alertops trigger`: raise an alert."""

from __future__ import annotations

import json
from typing import Any, TextIO

import click
from rich.text import Text

from alertops.cli.people.shell import TEAM, Shell, asks


@click.command()
@click.argument("flow")
@click.argument("summary")
@click.option("--severity", type=click.Choice(["critical", "error", "warning", "info"]), default="critical")
@click.option("--dedup-key", help="Joins the open execution with this key, if there is one.")
@click.option("--details", type=click.File(), metavar="FILE", help="A JSON object; - is standard input.")
@TEAM
@asks
def trigger(
    shell: Shell,
    flow: str,
    summary: str,
    *,
    severity: str,
    dedup_key: str | None,
    details: TextIO | None,
    team: str | None,
) -> None:
    """Raise an alert: run FLOW until somebody acknowledges."""
    body: dict[str, Any] = {"summary": summary, "severity": severity, "details": _object(details)}
    if dedup_key is not None:
        body["dedup_key"] = dedup_key
    found = shell.flow(flow, team).json
    answer = shell.api.post(f"/flows/{found['id']}/executions", body)
    joined = "Joined" if answer.status == 200 else "Started"
    shell.answer(answer.json, lambda: Text(f"{joined} execution {answer.json['id']}"))


def _object(details: TextIO | None) -> dict[str, Any]:
    if details is None:
        return {}
    try:
        found = json.load(details)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--details is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise click.UsageError("--details must be a JSON object.")
    return found
