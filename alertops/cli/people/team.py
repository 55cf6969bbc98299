"""`alertops team`: the teams that I am in, and the one that commands are about."""

from __future__ import annotations

from dataclasses import replace

import click
from rich.text import Text

from alertops.cli.people.errors import NotLoggedInError
from alertops.cli.people.output import table, visible
from alertops.cli.people.shell import TEAM, Shell, asks


@click.group()
def team() -> None:
    """Teams that I am in, and the one that commands are about."""


@team.command(name="list")
@asks
def list_(shell: Shell) -> None:
    """List my teams; the one that was chosen has a star."""
    teams = list(shell.api.items("/teams"))
    chosen = shell.login.team_id if shell.login else None
    rows = [(each["id"], each["name"], "*" if each["id"] == chosen else "") for each in teams]
    shell.answer(teams, lambda: table(("id", "name", ""), rows))


@team.command()
@TEAM
@asks
def show(shell: Shell, team: str | None) -> None:
    """Show a team and its members."""
    found = shell.team(team)
    members = list(shell.api.items(f"/teams/{found['id']}/members"))
    rows = [(member["email"], member["name"], member["role"]) for member in members]
    shell.answer({**found, "members": members}, lambda: table(("e-mail", "name", "role"), rows))


@team.command()
@click.argument("team")
@asks
def use(shell: Shell, team: str) -> None:
    """Choose TEAM, by its name or id: commands are about it from now on."""
    login = shell.login
    if login is None:
        raise NotLoggedInError("This is kept with a login. With a token of your own, set ALERTOPS_TEAM.")
    found = shell.team(team)
    with shell.store.alone():
        # Read again: another command may have renewed its tokens meanwhile.
        shell.store.write(replace(shell.store.read() or login, team_id=found["id"]))
    shell.answer(found, lambda: Text(f"Commands are about {visible(found['name'])} from now on."))
