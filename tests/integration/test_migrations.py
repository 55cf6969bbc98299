"""The migrations lead from nothing to exactly what the models say, and back, whoever runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

from alertops.db import Base
from alertops.schema import is_current, migrate, migration_config
from deploy.local.databases import create_database, drop_database
from deploy.local.stack import PrivateStack
from tests.integration.world import Queue

_numbers = count()

CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity
    FROM information_schema.columns WHERE table_schema = 'public'
"""
LEFT_OVER = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


@pytest.fixture
def empty(stack: PrivateStack) -> Iterator[Engine]:
    """A database with nothing in it."""
    server, name = stack.addresses.database_url, f"alertops_empty_{os.getpid()}_{next(_numbers)}"
    engine = create_engine(create_database(server, name), poolclass=NullPool)
    yield engine
    drop_database(server, name)


def rows(connection: Connection, query: str) -> set[tuple[object, ...]]:
    return {tuple(row) for row in connection.execute(text(query)) if "alembic_version" not in str(row)}


def downgrade(connection: Connection) -> None:
    command.downgrade(migration_config(connection), "base")
    connection.commit()


def test_migrations_go_up_and_down_and_up_again_and_leave_nothing_when_down(empty: Engine) -> None:
    with empty.connect() as connection:
        migrate(connection)
        first = rows(connection, COLUMNS) | rows(connection, CONSTRAINTS) | rows(connection, INDEXES)
        assert first
        downgrade(connection)
        assert rows(connection, LEFT_OVER) == set()
        migrate(connection)
        again = rows(connection, COLUMNS) | rows(connection, CONSTRAINTS) | rows(connection, INDEXES)
        assert again == first


def test_a_schema_is_current_only_when_every_migration_was_applied(empty: Engine) -> None:
    with empty.connect() as connection:
        assert not is_current(connection)
        migrate(connection)
        assert is_current(connection)
        downgrade(connection)
        assert not is_current(connection)


def test_migrating_what_is_current_changes_nothing(empty: Engine) -> None:
    with empty.connect() as connection:
        migrate(connection)
        connection.execute(text("INSERT INTO teams (name) VALUES ('kept')"))
        connection.commit()
        migrate(connection)
        assert connection.execute(text("SELECT name FROM teams")).scalars().all() == ["kept"]


def test_a_migration_that_fails_in_the_middle_leaves_nothing(empty: Engine) -> None:
    with empty.connect() as connection:
        connection.execute(text("CREATE TABLE timeline ()"))
        connection.commit()
        with pytest.raises(ProgrammingError, match="timeline"):
            migrate(connection)
    with empty.connect() as connection:
        tables = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert connection.execute(tables).scalars().all() == ["timeline"]
        assert not is_current(connection)


def test_a_migration_does_not_have_everybody_wait_for_somebody_who_holds_a_table(empty: Engine) -> None:
    with empty.connect() as connection, empty.connect() as holder:
        migrate(connection, "0016")
        holder.execute(text("LOCK TABLE integrations IN ACCESS SHARE MODE"))  # as pg_dump does
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate(connection, "0017")
        connection.rollback()
        holder.rollback()
        migrate(connection, "0017")


def test_the_migrated_schema_has_no_difference_from_the_models(empty: Engine) -> None:
    with empty.connect() as connection:
        migrate(connection)
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize("query", [CONSTRAINTS, INDEXES, COLUMNS], ids=["constraints", "indexes", "columns"])
def test_constraints_and_indexes_are_word_for_word_what_the_models_create(
    empty: Engine, migrated_database: str, query: str
) -> None:
    Base.metadata.create_all(empty)
    migrated = create_engine(migrated_database, poolclass=NullPool)
    with empty.connect() as ours, migrated.connect() as theirs:
        from_models = rows(ours, query)
        assert from_models
        assert rows(theirs, query) == from_models


MIGRATE = """
import sys
from sqlalchemy import create_engine
from alertops.schema import is_current, migrate
with create_engine(sys.argv[1]).connect() as connection:
    migrate(connection)
    sys.exit(not is_current(connection))
"""


def test_three_processes_that_migrate_at_once_take_turns(empty: Engine) -> None:
    url = empty.url.render_as_string(hide_password=False)

    # Processes, because a migration run of Alembic has the process to itself.
    def migrate_too(_: Session) -> int:
        return subprocess.run([sys.executable, "-c", MIGRATE, url], check=False, timeout=60).returncode  # noqa: S603  our own words

    # All of them meet one that is in the middle of it, and is then undone.
    with Queue(
        sessionmaker(empty), lambda holder: command.upgrade(migration_config(holder.connection()), "head")
    ) as queue:
        migrating = [queue.submit(migrate_too) for _ in range(3)]
    assert [future.result() for future in migrating] == [0, 0, 0]


def test_revisions_that_froze_no_names_get_those_of_their_flow(empty: Engine) -> None:
    frozen = text("SELECT definition FROM revisions")
    with empty.connect() as connection:
        migrate(connection, "0002")
        team = connection.execute(text("INSERT INTO teams (name) VALUES ('t') RETURNING id")).scalar_one()
        flow = connection.execute(
            text(
                "INSERT INTO flows (team_id, name, description, revision_number)"
                " VALUES (:team, 'Nights', 'who is told', 1) RETURNING id"
            ),
            {"team": team},
        ).scalar_one()
        connection.execute(
            text(
                "INSERT INTO revisions (flow_id, number, definition) VALUES (:id, 1, CAST(:frozen AS jsonb))"
            ),
            {"id": flow, "frozen": '{"nodes": []}'},
        )
        connection.commit()
        migrate(connection)
        named = {"nodes": [], "name": "Nights", "description": "who is told"}
        assert connection.execute(frozen).scalar_one() == named
        command.downgrade(migration_config(connection), "0002")
        assert connection.execute(frozen).scalar_one() == {"nodes": []}
