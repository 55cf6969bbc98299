"""What a step costs when many executions are over, and none has been deleted yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.benchmarks.benchmark import Benchmark, Turn
from tests.benchmarks.contenders.ours import Ours
from tests.benchmarks.escalation import measure
from tests.benchmarks.figures import Sample
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.stage import Stage

PAGE = 50_000
# Sessions that fill at the same time.
FILLERS = 2

# The rows refer to each other as they should; to look that up for each would take most of the time.
# An execution that was told to one person, acknowledged and resolved, some time in the last three months.
FINISHED = """
    SET session_replication_role = replica;
    WITH opened AS (
        INSERT INTO executions
            (team_id, flow_id, revision_number, status, summary, severity, details, anchor_at, created_at,
             acknowledged_at, ended_at)
        SELECT flows.team_id, flows.id, 1, 'resolved', 'The disk of db-' || i || ' is full', 'critical',
               '{{"mount": "/var"}}', at, at, at + interval '1 minute', at + interval '1 hour'
        FROM (SELECT i, now() - interval '1 day' - random() * interval '90 days' AS at,
                     i % {flows} + 1 AS flow FROM generate_series(1, {rows}) AS i) AS wanted
        JOIN (SELECT id, team_id, row_number() OVER (ORDER BY id) AS number FROM flows) AS flows
          ON flows.number = wanted.flow
        RETURNING id, anchor_at AS at
    ), told AS (
        INSERT INTO timeline (execution_id, at, event, step_number, detail)
        SELECT id, at, event, step, '{{}}' FROM opened,
            (VALUES ('started', NULL), ('attempt_delivered', 1), ('acknowledged', NULL), ('resolved', NULL))
            AS happened (event, step)
    ), fired AS (
        INSERT INTO steps
            (execution_id, number, round, node_index, node_id, node_name, revision_number, status, planned_at,
             due_at, fired_at, created_at, dispatched_at)
        SELECT id, 1, 0, 0, 'on-call', 'on call', 1, 'fired', at, at, at, at, at FROM opened
        RETURNING execution_id, fired_at AS at
    )
    INSERT INTO attempts
        (execution_id, step_number, target_number, number, channel, address, status, due_at, claim_number,
         transmit_at, detail, created_at, finished_at, dispatched_at)
    SELECT execution_id, 1, 1, 1, 'email', 'oncall@example.org', 'delivered', at, 1, at, '250 OK', at, at, at
    FROM fired
"""


@contextmanager
def turns(stage: Stage, sizes: Sizes) -> Iterator[Sequence[Turn]]:
    with ExitStack() as rooms:

        def aged(finished: int) -> Turn:
            ours = Ours(rooms.enter_context(stage.room(f"age_{finished}")))
            ours.prepare()
            fill(ours, finished)
            return Turn(f"{finished:,} finished", partial(_measure, stage, ours, sizes, finished), rounds=2)

        yield [aged(finished) for finished in sizes.finished]


BENCHMARK = Benchmark("age", "A step's cost, with so many finished executions in the tables", turns)


def _measure(stage: Stage, ours: Ours, sizes: Sizes, finished: int) -> Iterator[Sample]:
    case = f"{finished:,} finished"
    size = ours.room.ask("SELECT pg_database_size(current_database())")
    yield Sample(ours.name, "size of the database", size / 2**20, "MiB", case)
    yield from measure(stage, ours, sizes.backlog // 2, case=case)


def fill(ours: Ours, finished: int) -> None:
    """That many, and the statistics that autovacuum would have made meanwhile."""
    pages = [min(PAGE, finished - start) for start in range(0, finished, PAGE)]
    with ThreadPoolExecutor(FILLERS) as fillers:
        statements = (FINISHED.format(flows=len(ours.flows), rows=rows) for rows in pages)
        list(fillers.map(ours.room.execute, statements))
    ours.room.execute("VACUUM ANALYZE")
