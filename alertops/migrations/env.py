"""Run the migrations against ALERTOPS_DATABASE_URL, or a connection that the caller hands over.

Nothing here needs a Flask application, so that tests, workers and tools can migrate without one.
"""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection, create_engine, pool

import alertops.models  # noqa: F401  fills Base.metadata
from alertops.db import Base

# Two processes that migrate at once would both create the first table; the second waits instead.
MIGRATION_LOCK = 0x6D696772
# A change of a table that waits for a long transaction (a dump, say) has everybody else wait behind it.
# So it gives up instead, and leaves nothing; it can be tried again.
LOCK_SECONDS = 3


def run(connection: Connection) -> None:
    """Every step of a migration run is one transaction: it is done, or it never was."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        context.run_migrations()


def main() -> None:
    handed_over = context.config.attributes.get("connection")
    if handed_over is not None:
        run(handed_over)
        return
    url = context.config.get_main_option("sqlalchemy.url") or os.environ["ALERTOPS_DATABASE_URL"]
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        run(connection)


main()
