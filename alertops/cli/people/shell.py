"""What every command is given: the API, the team, and how to answer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from uuid import UUID

import click
import requests
from rich.console import RenderableType

from alertops.cli.people import output
from alertops.cli.people.api import Answer, Api, checked_url
from alertops.cli.people.credentials import FromLogin, from_environment
from alertops.cli.people.errors import NotLoggedInError, RefusedError
from alertops.cli.people.store import Login, Store

API_URL = "ALERTOPS_API_URL"


class Shell:
    """One run of a command."""

    def __init__(self, *, api_url: str | None, as_json: bool) -> None:
        self.store = Store()
        self.as_json = as_json
        self.api_url = api_url

    @functools.cached_property
    def api(self) -> Api:
        """The API, asked by whoever the environment or the login says."""
        given = from_environment()
        if given is not None:
            return Api(self.url, given)
        login = self.store.read()
        # Tokens of one server are not shown to another.
        if login is None or login.api_url != self.url:
            raise NotLoggedInError(f"Not logged in at {self.url}: run `alertops login`.")
        return self.api_of(login)

    def api_of(self, login: Login) -> Api:
        """The API that the login is for, asked by who is logged in."""
        return Api(login.api_url, FromLogin(self.store, functools.partial(refresh, login.api_url)))

    @functools.cached_property
    def url(self) -> str:
        """Where the API is: as was said, or where the login is."""
        if self.api_url:
            return self.api_url
        login = self.store.read()
        if login is not None:
            return login.api_url
        if from_environment() is None:
            raise NotLoggedInError("Not logged in: run `alertops login`.")
        raise click.UsageError(f"Say where the API is: --api-url, or {API_URL}.")

    @functools.cached_property
    def login(self) -> Login | None:
        """The login, unless the environment says who is asking."""
        return None if from_environment() else self.store.read()

    def team(self, named: str | None) -> dict[str, Any]:
        """The team that was named, or chosen by `alertops team use`, or the only one."""
        wanted = named or (self.login.team_id if self.login else None)
        if wanted and _is_id(wanted):
            team: dict[str, Any] = self.api.get(f"/teams/{wanted}").json
            return team
        teams = self._own_teams()
        if wanted:
            return _one("team", wanted, teams)
        if len(teams) == 1:
            return teams[0]
        if not teams:
            raise click.UsageError("You are in no team.")
        raise click.UsageError(
            "You are in several teams: say --team, or choose one with `alertops team use`."
        )

    def _own_teams(self) -> list[dict[str, Any]]:
        try:
            return list(self.api.items("/teams"))
        except RefusedError as error:
            if error.status == requests.codes.forbidden:
                raise click.UsageError(
                    "An API key cannot look for its team: say the id, by --team."
                ) from error
            raise

    def flow(self, named: str, team: str | None) -> Answer:
        """The flow with this id, or with this name in the team; with the ETag that it has now."""
        if not _is_id(named):
            flows = list(self.api.items(f"/teams/{self.team(team)['id']}/flows"))
            named = _one("flow", named, flows)["id"]
        return self.api.get(f"/flows/{named}")

    def answer(self, value: Any, text: Callable[[], RenderableType]) -> None:
        """Print the answer: the value for programs, the text for people."""
        if self.as_json:
            output.print_json(value)
        else:
            output.print_text(text())

    def answer_raw(self, value: Any, text: str) -> None:
        """Print the answer; for people it is text that goes into a file, as it is."""
        if self.as_json:
            output.print_json(value)
        else:
            click.echo(text, nl=False)


def asks(command: Callable[..., None]) -> Callable[..., None]:
    """Give the command a `Shell`, and the options that all of them have."""

    @click.option(
        "--api-url",
        envvar=API_URL,
        show_envvar=True,
        callback=_url,
        help="The API; the login's, if not said.",
    )
    @click.option(
        "--output",
        "-o",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For people, or for programs.",
    )
    @functools.wraps(command)
    def run(*args: Any, api_url: str | None, form: str, **kwargs: Any) -> None:
        command(Shell(api_url=api_url, as_json=form == "json"), *args, **kwargs)

    return run


TEAM = click.option(
    "--team",
    envvar="ALERTOPS_TEAM",
    show_envvar=True,
    metavar="TEAM",
    help="Name or id; the one that was chosen, if not said.",
)


def refresh(url: str, refresh_token: str) -> dict[str, Any] | None:
    """The next tokens for this refresh token; None when it is not good any more."""
    try:
        tokens: dict[str, Any] = Api(url).call("POST", "/auth/refresh", {}, token=refresh_token).json
    except NotLoggedInError:
        return None
    return tokens


def _one(kind: str, named: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    by_id = [each for each in found if each["id"] == named.lower()]
    matching = by_id or [each for each in found if each["name"] == named]
    if len(matching) == 1:
        return matching[0]
    if not matching:
        raise click.UsageError(f"There is no {kind} {named!r} that you can see.")
    ids = ", ".join(each["id"] for each in matching)
    raise click.UsageError(f"{len(matching)} {kind}s are called {named!r}; name one by its id: {ids}.")


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _url(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    try:
        return checked_url(value) if value else None
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error
