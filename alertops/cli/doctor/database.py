"""The database: reachable, new enough, migrated, walled, and of the same time as this host."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from alertops.cli.doctor.finding import ANSWER_SECONDS, Finding, one_line
from alertops.config import Settings
from alertops.db import engine_options
from alertops.schema import is_current
from alertops.services.access.wall import WALLED_ROLE
from alertops.services.recovery_record import last_run_age

OLDEST = 15
# Recovery may miss two ticks, and no more: one runner may hang, or have much to do.
MISSED_TICKS = 3
SLACK_SECONDS = 5
# Only wakes depend on a worker's clock; by as much as it is wrong, they come early (and again) or late.
MOST_SKEW = timedelta(seconds=1)

_WALL = text(
    "SELECT CASE WHEN to_regrole(:role) IS NULL THEN 'missing'"
    " WHEN pg_has_role(CAST(:role AS name), 'MEMBER') THEN 'ours' ELSE 'not ours' END"
)


def check(settings: Settings) -> Iterator[Finding]:
    """Ask in one connection; when there is none, nothing else can be told."""
    url = make_url(settings.database_url)
    options = engine_options() | {"poolclass": NullPool}
    for pooled in ("pool_size", "max_overflow", "pool_timeout"):
        options.pop(pooled)
    try:
        with create_engine(url, **options).connect() as connection:
            connection.execute(text(f"SET statement_timeout = '{ANSWER_SECONDS}s'"))
            yield from _all(connection, settings)
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        yield Finding(
            "database",
            f"{url.host}:{url.port or 5432} does not serve us: {one_line(cause)}",
            "start Postgres, and compare ALERTOPS_DATABASE_URL: host, port, name, user, password",
        )


def _all(connection: Connection, settings: Settings) -> Iterator[Finding]:
    yield _clock(connection)
    yield _version(connection)
    current = is_current(connection)
    yield _migrations(current=current)
    yield _wall(connection)
    if current:
        yield _recovery(last_run_age(connection), settings.timing.recovery_tick)


def _version(connection: Connection) -> Finding:
    version = str(connection.execute(text("SHOW server_version")).scalar_one())
    if int(version.split(".", maxsplit=1)[0]) < OLDEST:
        return Finding("database", f"Postgres {version}", f"upgrade Postgres to {OLDEST} or newer")
    return Finding("database", f"Postgres {version}")


def _migrations(*, current: bool) -> Finding:
    if not current:
        return Finding(
            "migrations",
            "the schema is behind this release's revision",
            "run `flask --app api.wsgi db upgrade` with this release, before its API and workers start",
        )
    return Finding("migrations", "all applied")


def _wall(connection: Connection) -> Finding:
    """Each request of the API takes this role on; without it, none is answered."""
    found = connection.execute(_WALL, {"role": WALLED_ROLE}).scalar_one()
    user = connection.execute(text("SELECT quote_ident(current_user)")).scalar_one()
    if found == "ours":
        return Finding("wall", f"{user} may take on the role {WALLED_ROLE}")
    make = f"CREATE ROLE {WALLED_ROLE} NOLOGIN; " if found == "missing" else ""
    return Finding(
        "wall",
        f"there is no role {WALLED_ROLE}" if make else f"{user} may not take on the role {WALLED_ROLE}",
        f"have an administrator run: {make}GRANT {WALLED_ROLE} TO {user};",
    )


def _clock(connection: Connection) -> Finding:
    """The database's clock decides. What asking took is not held against either."""
    before = datetime.now(UTC)
    there = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    after = datetime.now(UTC)
    skew = max(there - after, before - there, timedelta(0))
    return judge_clock(skew)


def judge_clock(skew: timedelta) -> Finding:
    """How far this host's clock is from the database's, at the least."""
    found = f"{skew.total_seconds():.3f} s from the database's, at the least"
    if skew > MOST_SKEW:
        return Finding("clock", found, "keep the time of this host and of the database's by NTP (chrony)")
    return Finding("clock", found)


def _recovery(age: float | None, tick: float) -> Finding:
    if not tick:
        return Finding("recovery", "the tick is off: ALERTOPS_RECOVERY_TICK_SECONDS is 0")
    start = "start a worker that takes from the queue `recovery`, and see its log"
    if age is None:
        return Finding("recovery", "has not run yet", start)
    if age > MISSED_TICKS * tick + SLACK_SECONDS:
        return Finding("recovery", f"no whole run for {age:.0f} s", start)
    return Finding("recovery", f"ran {age:.0f} s ago")
