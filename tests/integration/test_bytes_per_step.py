"""What a step that waits takes in the database, rows and indexes together: a figure of no machine's mood."""

from __future__ import annotations

from sqlalchemy import text

from alertops.db import Base
from tests.acceptance.alerts import measured
from tests.integration.world import World, node

COPIES = 2_000
# Of a started alert: its execution, its first step, the beginning of its timeline. Measured: 1,155.
BYTES_AT_MOST = 1_300

# What is different in each copy.
FRESH = {
    "executions": {"id": "gen_random_uuid()", "dedup_key": "dedup_key || i"},
    "steps": {"execution_id": "gen_random_uuid()"},
    "timeline": {"id": "i", "execution_id": "gen_random_uuid()"},
}


def test_a_waiting_step_takes_so_many_bytes(world: World) -> None:
    world.start(world.flow(node("a", 3600)), "disk-of-db1")
    sizes = {table: _bytes_each(world, table) for table in FRESH}
    each = round(sum(sizes.values()))
    measured(f"a step that waits takes {each} bytes of the database")
    assert each <= BYTES_AT_MOST, sizes


def _bytes_each(world: World, table: str) -> float:
    """Copies of the one row that is there, in a table of the same shape that has nothing else in it."""
    columns = [column.name for column in Base.metadata.tables[table].columns]
    values = [FRESH[table].get(column, column) for column in columns]
    session = world.session
    session.execute(text(f"CREATE TEMPORARY TABLE copies (LIKE {table} INCLUDING ALL) ON COMMIT DROP"))
    session.execute(
        text(
            f"INSERT INTO copies ({', '.join(columns)}) SELECT {', '.join(values)}"
            f" FROM {table}, generate_series(1, :count) AS i"
        ),
        {"count": COPIES},
    )
    size = session.scalar(text("SELECT pg_total_relation_size('copies')"))
    session.rollback()
    return float(size or 0) / COPIES
