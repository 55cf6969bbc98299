"""Commands that take hold of an execution; each is one request, and safe to repeat."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from alertops.cli.people.instants import instant, wait
from alertops.cli.people.output import visible
from alertops.cli.people.shell import TEAM, Shell, asks

EXECUTION = click.argument("execution", type=click.UUID)
NOTE = click.option("--note", help="Said on the timeline.")
REASON = click.option("--reason", help="Said on the timeline.")


@click.command()
@EXECUTION
@NOTE
@asks
def ack(shell: Shell, execution: str, note: str | None) -> None:
    """Take it: nobody else is told."""
    _do(shell, execution, "acknowledge", note=note)


@click.command()
@EXECUTION
@NOTE
@asks
def resolve(shell: Shell, execution: str, note: str | None) -> None:
    """Say that it is over."""
    _do(shell, execution, "resolve", note=note)


@click.command()
@EXECUTION
@REASON
@asks
def cancel(shell: Shell, execution: str, reason: str | None) -> None:
    """End it without anybody having dealt with it."""
    _do(shell, execution, "cancel", reason=reason)


@click.command()
@EXECUTION
@click.option("--for", "for_seconds", type=wait, metavar="DURATION", help="So long, such as 30m.")
@click.option("--until", type=instant, metavar="TIME", help="Until then, such as 2026-01-31T12:00:00Z.")
@REASON
@asks
def snooze(
    shell: Shell, execution: str, for_seconds: int | None, until: str | None, reason: str | None
) -> None:
    """Let it rest: nobody is told until then."""
    if (for_seconds is None) == (until is None):
        raise click.UsageError("Say how long: --for or --until.")
    _do(shell, execution, "snooze", for_seconds=for_seconds, until=until, reason=reason)


@click.command()
@EXECUTION
@REASON
@asks
def unsnooze(shell: Shell, execution: str, reason: str | None) -> None:
    """Wake it up before its time."""
    _do(shell, execution, "unsnooze", reason=reason)


@click.command()
@EXECUTION
@click.option("--step", type=click.IntRange(min=1), help="Only if this is the step that comes next.")
@REASON
@asks
def escalate(shell: Shell, execution: str, step: int | None, reason: str | None) -> None:
    """Do not wait: fire the next step now."""
    _do(shell, execution, "escalate", step=step or _next_step(shell, execution), reason=reason)


@click.command()
@EXECUTION
@click.option("--flow", help="Name or id of a flow of the team.")
@click.option("--user", metavar="E-MAIL", help="A member of the team.")
@REASON
@TEAM
@asks
def reassign(
    shell: Shell, execution: str, *, flow: str | None, user: str | None, reason: str | None, team: str | None
) -> None:
    """Give it to another flow, or to one member."""
    if (flow is None) == (user is None):
        raise click.UsageError("Say to whom: --flow or --user.")
    if flow is not None:
        _do(shell, execution, "reassign", flow_id=shell.flow(flow, team).json["id"], reason=reason)
    else:
        _do(shell, execution, "reassign", user_id=_member(shell, execution, str(user)), reason=reason)


@click.command()
@EXECUTION
@click.option("--original", is_flag=True, help="On the revision that it ran on, not the flow's present one.")
@asks
def replay(shell: Shell, execution: str, original: bool) -> None:
    """Run its alert again, as a new execution."""
    _do(shell, execution, "replay", revision="original" if original else "current")


@click.command()
@EXECUTION
@click.argument("text")
@asks
def note(shell: Shell, execution: str, text: str) -> None:
    """Write TEXT on the timeline."""
    _do(shell, execution, "notes", text=text)


def _do(shell: Shell, execution: str, operation: str, **body: Any) -> None:
    said = {name: value for name, value in body.items() if value is not None}
    answer = shell.api.post(f"/executions/{execution}/{operation}", said).json
    shell.answer(answer, lambda: Text(_told(operation, answer)))


def _told(operation: str, answer: dict[str, Any]) -> str:
    if "status" not in answer:
        return "Done."
    lines = [f"Execution {answer['id']} is {answer['status']}."]
    if answer.get("changed") is False:
        lines[0] = f"Execution {answer['id']} was {answer['status']} already."
    lines += [
        visible(f"Already under way, and not called back: {send['channel']} to {send['address']}")
        for send in answer.get("in_flight", [])
    ]
    return "\n".join(lines)


def _next_step(shell: Shell, execution: str) -> int:
    """The step that comes next; it is named to the API, so that a command that is repeated skips nobody."""
    number = shell.api.get(f"/executions/{execution}").json.get("next_step")
    if number is None:
        raise click.ClickException("No step of this execution comes next.")
    return int(number)


def _member(shell: Shell, execution: str, address: str) -> str:
    team_id = shell.api.get(f"/executions/{execution}").json["team_id"]
    for member in shell.api.items(f"/teams/{team_id}/members"):
        if member["email"].lower() == address.lower():
            return str(member["id"])
    raise click.UsageError(f"No member of the team has the address {address}.")
