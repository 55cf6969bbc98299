"""`alertops login` and `alertops logout`: who is asking, from now on, on this machine."""

from __future__ import annotations

import sys

import click
from rich.text import Text

from alertops.cli.people.api import Api
from alertops.cli.people.credentials import ENVIRONMENT, from_environment, of_tokens
from alertops.cli.people.errors import NotLoggedInError, UnreachableError
from alertops.cli.people.output import say, visible
from alertops.cli.people.shell import API_URL, Shell, asks
from alertops.cli.people.store import Login


@click.command()
@click.option("--email", prompt="E-mail address", help="Of the account.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, to its end.")
@asks
def login(shell: Shell, email: str, password_stdin: bool) -> None:
    """Log in, and stay so until `alertops logout`.

    The password is asked for. It is no option: others on the machine could read it.
    """
    url = _where(shell)
    tokens = Api(url).post("/auth/login", {"email": email, "password": _password(password_stdin)}).json
    before = shell.store.read()
    same = before is not None and (before.api_url, before.email) == (url, email)
    team_id = before.team_id if before and same else None
    with shell.store.alone():
        shell.store.write(Login(url, email, team_id=team_id, **of_tokens(tokens)))
    if from_environment():
        say(f"One of {' and '.join(ENVIRONMENT)} is set; it comes before this login.")
    shell.answer({"api_url": url, "email": email}, lambda: Text(f"Logged in at {url} as {visible(email)}."))


@click.command()
@asks
def logout(shell: Shell) -> None:
    """End the login: here, and on the server. Safe to repeat."""
    kept = shell.store.read()
    if kept is not None:
        try:
            shell.api_of(kept).post("/auth/logout", {})
        except NotLoggedInError:
            pass  # it had ended there already
        except UnreachableError:
            say("Logged out here. The server could not be told, where the session ends by itself later.")
            raise
        finally:
            shell.store.forget()
    shell.answer({"logged_out": kept is not None}, lambda: Text("Logged out."))


def _where(shell: Shell) -> str:
    kept = shell.store.read()
    url = shell.api_url or (kept.api_url if kept else None)
    if url is None:
        raise click.UsageError(f"Say where the API is: --api-url, or {API_URL}.")
    return url


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.read().rstrip("\r\n")
    return click.prompt("Password", hide_input=True, err=True, type=str)
