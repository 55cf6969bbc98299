"""`alertops executions watch`: an execution as it goes on, until it is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from time import monotonic, sleep
from typing import Any, TypeVar

import click
from rich.live import Live

from alertops.cli.people.api import Api
from alertops.cli.people.errors import UnreachableError
from alertops.cli.people.output import console, say
from alertops.cli.people.picture import picture
from alertops.cli.people.shell import Shell, asks

T = TypeVar("T")

OVER = ("resolved", "exhausted", "cancelled")

# Often while something happens; then less often.
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 10.0

# An API that is restarted is back before that.
PATIENCE_SECONDS = 120.0


@click.command()
@click.argument("execution", type=click.UUID)
@asks
def watch(shell: Shell, execution: str) -> None:
    """Watch an execution live, until it is over; ^C ends watching, and nothing else.

    With --output json, a line for each thing that happens.
    """
    follow = _as_lines if shell.as_json else _as_picture
    follow(shell.api, execution)


def _as_picture(api: Api, execution: str) -> None:
    with Live(console=console(), auto_refresh=False) as live:
        for shown, _ in _moments(api, execution):
            live.update(picture(shown), refresh=True)


def _as_lines(api: Api, execution: str) -> None:
    for _, entries in _moments(api, execution):
        for entry in entries:
            click.echo(json.dumps(entry))


def _moments(api: Api, execution: str) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The execution and what is new on its timeline, each time that something is, until it is over."""
    timeline = _Timeline(api, execution)
    pause = SHORTEST_SECONDS
    while True:
        # The execution first: what ended it is on the timeline then.
        shown, entries = _patiently(lambda: (api.get(f"/executions/{execution}").json, timeline.new()))
        over = shown["status"] in OVER
        if entries or over:
            yield shown, entries
        if over:
            return
        pause = SHORTEST_SECONDS if entries else min(pause * 1.5, LONGEST_SECONDS)
        sleep(pause)


def _patiently(ask: Callable[[], T]) -> T:
    """What is answered; again and again while the API is away."""
    given_up_at = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except UnreachableError as error:
            if monotonic() > given_up_at:
                raise
            say(f"{error.message} Asking again.")
            sleep(LONGEST_SECONDS / 2)


class _Timeline:
    """What was not told yet, from the last page that was reached."""

    def __init__(self, api: Api, execution: str) -> None:
        self._api, self._path = api, f"/executions/{execution}/timeline"
        self._cursor: str | None = None
        self._last = 0

    def new(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            query = {"cursor": self._cursor} if self._cursor else {}
            page = self._api.get(self._path, limit=100, **query).json
            found += [entry for entry in page["items"] if entry["id"] > self._last]
            self._last = max([self._last, *(entry["id"] for entry in page["items"])])
            if page["next_cursor"] is None:
                return found
            self._cursor = page["next_cursor"]
