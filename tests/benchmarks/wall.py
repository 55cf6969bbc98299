"""What the second wall costs: requests of the API with it and without it, in turns, on one database.

    python -m tests.benchmarks.wall [--rounds 300]

Both are the same application and the same connection pool. The wall is left out by replacing the function
that raises it; measured is the whole request, in process, and the statements that it sends.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import create_engine, event

from alertops.schema import migrate
from api import blueprints
from deploy.local.databases import create_database, drop_database
from deploy.local.stack import stack_from_environment
from tests.integration.api_client import Person, a_flow, a_node, person
from tests.integration.conftest import RecordingPublisher, application

NAME = "alertops_bench_wall"
# Of others: a query that reads too much shows.
TEAMS, EXECUTIONS = 20, 100


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    with stack_from_environment(Path(".local") / "bench", report=print) as stack:
        server = stack.addresses.database_url
        url = create_database(server, NAME)
        try:
            engine = create_engine(url)
            with engine.connect() as connection:
                migrate(connection)
            engine.dispose()
            app = application(url, RecordingPublisher())
            measure(app, rounds)
            with app.app_context():
                app.extensions["sqlalchemy"].engine.dispose()
        finally:
            drop_database(server, NAME)


def measure(app: Flask, rounds: int) -> None:
    """Each round does each request once with and once without the wall, in an order that changes."""
    requests = furnish(app)
    times: dict[tuple[str, bool], list[float]] = {(name, up): [] for name in requests for up in (True, False)}
    sent: dict[tuple[str, bool], int] = {}
    for number in range(rounds + 20):
        for name, request in requests.items():
            for up in (True, False) if number % 2 else (False, True):
                with wall(up), counted(app) as statements:
                    began = time.perf_counter()
                    answer = request()
                    took = time.perf_counter() - began
                assert answer.status_code < 300, answer.text
                if number >= 20:  # the first ones warm up
                    times[name, up].append(took * 1000)
                    sent[name, up] = len(statements)
    for name in requests:
        report(name, times[name, False], times[name, True], sent[name, False], sent[name, True])


def report(name: str, without: list[float], behind: list[float], few: int, more: int) -> None:
    ratio = statistics.median(b / a for a, b in zip(without, behind, strict=True))
    print(f"{name:22} without {spread(without)}  behind {spread(behind)}  ratio {ratio:.2f}  {few} -> {more}")


def spread(times: list[float]) -> str:
    low, middle, high = statistics.quantiles(times, n=4)
    return f"{middle:5.2f} ms ({low:.2f} to {high:.2f})"


def furnish(app: Flask) -> dict[str, Callable[[], Any]]:
    """Teams with executions, and the requests of a member of the last."""
    for number in range(TEAMS):
        somebody = person(app, f"person{number}")
        team = somebody.make("/teams", {"name": "Team"})["id"]
        flow = somebody.make(f"/teams/{team}/flows", a_flow(*(a_node(f"n{i}") for i in range(5))))["id"]
        for _ in range(EXECUTIONS):
            execution = somebody.make(f"/flows/{flow}/executions", {"summary": "disk full"})["id"]
    return requests_of(somebody, team, flow, execution)


def requests_of(who: Person, team: str, flow: str, execution: str) -> dict[str, Callable[[], Any]]:
    return {
        "POST an alert": lambda: who.post(f"/flows/{flow}/executions", {"summary": "disk full"}),
        "GET a flow": lambda: who.get(f"/flows/{flow}"),
        "GET an execution": lambda: who.get(f"/executions/{execution}"),
        "GET 50 executions": lambda: who.get(f"/teams/{team}/executions?limit=50"),
    }


@contextmanager
def wall(up: bool) -> Iterator[None]:
    kept = blueprints.raise_the_wall
    if not up:
        blueprints.raise_the_wall = lambda *_: None
    try:
        yield
    finally:
        blueprints.raise_the_wall = kept


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


if __name__ == "__main__":
    main()
