"""The state of the database's schema: migrate it, and tell whether it is current."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def migration_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for this package's migrations, on this connection when one is given."""
    config = Config()
    config.set_main_option("script_location", _escaped(str(files("alertops") / "migrations")))
    config.attributes["connection"] = connection
    return config


def _escaped(path: str) -> str:
    """Alembic's configuration interpolates percent signs."""
    return path.replace("%", "%%")


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the schema to this revision and commit; at the revision already, it does nothing."""
    command.upgrade(migration_config(connection), revision)
    connection.commit()


def is_current(connection: Connection) -> bool:
    """Whether every migration of this code has been applied, and perhaps more of a later release.

    A revision that we do not know is of such a one: its migrations leave us what we use (docs/upgrading.md).
    """
    script = ScriptDirectory.from_config(migration_config())
    revision = MigrationContext.configure(connection).get_current_revision()
    ours = {known.revision for known in script.walk_revisions()}
    return revision is not None and (revision == script.get_current_head() or revision not in ours)
