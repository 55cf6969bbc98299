"""What the outbox costs an entry of a timeline: `python -m tests.benchmarks.outbox [--rounds 25]`

Entries are inserted without the trigger, with it in a team that has no subscription (while two hundred others
have), and in one that has one; alone, and a hundred in one statement. In turns, on one connection, and undone
each time; the best round counts, as nothing else can make one faster.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text

from alertops.schema import migrate
from deploy.local.databases import create_database, drop_database
from deploy.local.stack import stack_from_environment

NAME = "alertops_bench_outbox"
EXECUTIONS, OTHERS = 20_000, 200
# Entries in one statement, and how many statements a round has.
SIZES = {1: 300, 100: 10}

_TEAM = text("INSERT INTO teams (name) VALUES ('Team') RETURNING id")
_FLOW = text("INSERT INTO flows (team_id, name, revision_number) VALUES (:team, 'Flow', 1) RETURNING id")
_REVISION = text("INSERT INTO revisions (flow_id, number, definition) VALUES (:flow, 1, '{}')")
_EXECUTIONS = text("""
    INSERT INTO executions (team_id, flow_id, revision_number, status, summary, severity, details, anchor_at)
    SELECT :team, :flow, 1, 'running', 's', 'info', '{}', now() FROM generate_series(1, :count) RETURNING id
""")
_SUBSCRIBE = text("""
    INSERT INTO subscriptions (team_id, name, url, created_by) VALUES (:team, 's', 'http://x.test', :team)
""")
_ENTRIES = text("INSERT INTO timeline (execution_id, event, detail) SELECT unnest(:ids), 'note', '{}'")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    with stack_from_environment(Path(".local") / "bench", report=print) as stack:
        server = stack.addresses.database_url
        engine = create_engine(create_database(server, NAME))
        try:
            with engine.connect() as connection:
                migrate(connection)
                measure(connection, rounds)
            engine.dispose()
        finally:
            drop_database(server, NAME)


def measure(connection: Connection, rounds: int) -> None:
    for _ in range(OTHERS):
        connection.execute(_SUBSCRIBE, {"team": connection.scalar(_TEAM)})
    without, subscribed = _executions(connection), _executions(connection, subscribed=True)
    connection.execute(text("ANALYZE executions, subscriptions"))
    connection.commit()
    cases = {"no trigger": without, "no subscription": without, "one subscription": subscribed}
    best: dict[tuple[str, int], float] = {}
    for _ in range(rounds):
        for case, ids in cases.items():
            switch = "DISABLE" if case == "no trigger" else "ENABLE"
            connection.execute(text(f"ALTER TABLE timeline {switch} TRIGGER write_event_deliveries"))
            connection.commit()
            for size, statements in SIZES.items():
                took = _insert(connection, ids, size, statements)
                best[case, size] = min(took, best.get((case, size), took))
    for (case, size), seconds in best.items():
        print(f"{case}, {size} in a statement: {seconds * 1e6:.0f} microseconds an entry")


def _executions(connection: Connection, *, subscribed: bool = False) -> list[Any]:
    team = connection.scalar(_TEAM)
    if subscribed:
        connection.execute(_SUBSCRIBE, {"team": team})
    flow = connection.scalar(_FLOW, {"team": team})
    connection.execute(_REVISION, {"flow": flow})
    return list(connection.scalars(_EXECUTIONS, {"team": team, "flow": flow, "count": EXECUTIONS}))


def _insert(connection: Connection, ids: list[Any], size: int, statements: int) -> float:
    """Seconds for each entry."""
    began = time.perf_counter()
    for number in range(statements):
        connection.execute(_ENTRIES, {"ids": ids[number * size : (number + 1) * size]})
    connection.rollback()
    return (time.perf_counter() - began) / statements / size


if __name__ == "__main__":
    main()
