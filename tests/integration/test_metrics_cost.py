"""A scrape costs no more as the history grows: no query of it reads through finished rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, text

from alertops.services.measure import measure
from tests.integration.recovering import Sessions
from tests.integration.world import World, node

FINISHED = 50_000
GROWING = {"executions", "steps", "attempts", "letters", "timeline", "event_deliveries"}

# Each with one step that fired, and one attempt that was delivered.
HISTORY = """
    WITH executions AS (
        INSERT INTO executions
            (team_id, flow_id, revision_number, status, summary, severity, details, anchor_at)
        SELECT :team, :flow, 1, (ARRAY['resolved', 'exhausted', 'cancelled'])[1 + i % 3],
            's', 'info', '{}', now()
        FROM generate_series(1, :count) AS i RETURNING id
    ), steps AS (
        INSERT INTO steps (execution_id, number, round, node_index, node_id, node_name, status,
            planned_at, due_at, fired_at)
        SELECT id, 1, 1, 0, 'n', 'n', 'fired', now(), now(), now() FROM executions RETURNING execution_id
    )
    INSERT INTO attempts
        (execution_id, step_number, target_number, number, channel, address, status, due_at, finished_at)
    SELECT execution_id, 1, 1, 1, 'email', 'a@example.com', 'delivered', now(), now() FROM steps
"""

LETTERS = """
    INSERT INTO letters (kind, address, status, due_at, expires_at, finished_at)
    SELECT 'reset_password', 'a@example.com', 'delivered', now(), now(), now()
    FROM generate_series(1, :count) AS i
"""

DELIVERIES = """
    INSERT INTO event_deliveries
        (subscription_id, execution_id, position, flow_id, execution_status, status, finished_at)
    SELECT gen_random_uuid(), id, 1, flow_id, status, 'delivered', now() FROM executions
"""


@pytest.fixture
def with_a_history(world: World) -> None:
    """Many executions that are over, a few that are not, and a planner that knows."""
    flow = world.flow(node("a", 0), node("b", 600))
    for _ in range(20):
        world.fire(world.start(flow), 1)
    world.session.execute(text(HISTORY), {"team": world.team.id, "flow": flow.id, "count": FINISHED})
    world.session.execute(text(LETTERS), {"count": FINISHED})
    world.session.execute(text(DELIVERIES))
    world.session.commit()
    world.session.execute(text("ANALYZE executions, steps, attempts, letters, event_deliveries"))
    world.session.commit()


def scans(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every (kind of scan, table) in a plan."""
    if "Relation Name" in plan:
        yield plan["Node Type"], plan["Relation Name"]
    for inner in plan.get("Plans", ()):
        yield from scans(inner)


@pytest.mark.usefixtures("with_a_history")
def test_no_query_of_a_scrape_reads_through_what_is_over(sessions: Sessions) -> None:
    asked: list[tuple[str, Any]] = []
    with sessions.kw["bind"].connect() as connection:
        event.listen(
            connection, "before_cursor_execute", lambda _c, _cur, sql, values, *_: asked.append((sql, values))
        )
        figures = measure(connection, grace=5)
        assert figures.work.steps_waiting == 20
        plans = [
            connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}", values).scalar_one()[0]["Plan"]
            for sql, values in list(asked)
            if sql.startswith("SELECT")
        ]
    read = [scan for plan in plans for scan in scans(plan)]
    assert {table for _, table in read} == {
        "executions", "steps", "attempts", "letters", "event_deliveries", "broker_epoch", "recovery_totals",
        "event_totals", "events_counted", "dispatch_failures",
    }  # fmt: skip
    assert [scan for scan in read if scan[0] == "Seq Scan" and scan[1] in GROWING] == []
