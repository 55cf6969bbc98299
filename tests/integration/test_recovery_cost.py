"""A run of recovery that finds nothing reads nothing of what waits for its time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, text

from alertops.services.recover import Recovered
from tests.integration.recovering import Markers, Sessions, runner
from tests.integration.test_metrics_cost import scans
from tests.integration.world import World, node

WAITING = 20_000
# Due in an hour, and dispatched.
COMING = """
    WITH executions AS (
        INSERT INTO executions
            (team_id, flow_id, revision_number, status, summary, severity, details, anchor_at)
        SELECT :team, :flow, 1, 'running', 's', 'info', '{}', now() FROM generate_series(1, :count)
        RETURNING id
    )
    INSERT INTO steps
        (execution_id, number, round, node_index, node_id, node_name, status, planned_at, due_at,
         dispatched_at)
    SELECT id, 1, 0, 0, 'n', 'n', 'waiting', later, later, now()
    FROM executions, (SELECT now() + interval '1 hour' AS later) AS _
"""


def removed(plan: dict[str, Any]) -> int:
    """Rows that were read, and then thrown away."""
    inner = sum(removed(part) for part in plan.get("Plans", ()))
    return inner + int(plan.get("Rows Removed by Filter", 0)) * int(plan["Actual Loops"])


def test_what_is_not_due_yet_is_not_even_looked_at(world: World, sessions: Sessions) -> None:
    run = runner(sessions, world, Markers())
    run()
    flow = world.flow(node("a", 3600))
    world.session.execute(text(COMING), {"team": world.team.id, "flow": flow.id, "count": WAITING})
    world.session.commit()
    world.session.execute(text("ANALYZE executions, steps, attempts"))
    world.session.commit()
    asked: list[tuple[str, Any]] = []
    engine = sessions.kw["bind"]

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        if sql.startswith("SELECT") and ("FROM steps" in sql or "FROM attempts" in sql):
            asked.append((sql, values))

    event.listen(engine, "before_cursor_execute", note)
    assert run() == Recovered()
    event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 5
    with engine.connect() as connection:
        plans = [
            connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values).scalar_one()[0][
                "Plan"
            ]
            for sql, values in asked
        ]
    assert ("Seq Scan", "steps") not in [scan for plan in plans for scan in scans(plan)]
    assert sum(removed(plan) for plan in plans) == 0
