"""The database: engine, sessions, naming of constraints, and the one clock.

Workers open plain sessions from `session_factory`; the API hands the same declarative base to
Flask-SQLAlchemy. Both use `engine_options`, so that both see the same database in the same way.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, DateTime, Engine, MetaData, create_engine, event, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

# Named constraints can be dropped by a later migration, and an error that quotes one says what broke.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


# A process that is stopped, or whose host vanishes, in the middle of a transaction must not keep its locks:
# an execution nobody can acknowledge, or a recovery that nobody else may run. Postgres ends it after this.
# Nor must one whose client is gone stand in line for such a lock, get it when the one before it is ended, and
# keep it for as long again: a host that vanishes leaves many at once. So waiting is bounded as well. Who is
# alive tries again (`services/persistence.py`; the API answers 503).
BOUNDS = {"idle_in_transaction_session_timeout": "10s", "lock_timeout": "4s"}
KEEPALIVES = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}

# What runs for every step is planned once by a connection (`services/prepared.py`), for all values, and the
# plan stays until the table is analysed again. One that was made while a table was small would read it
# through; in a storm it grows a thousandfold before that. So tables are read by their indexes, which all that
# we ask for has; and a plan that is called expensive by that is not worth compiling.
PLANS = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}

ASK_ONCE = "; ".join(f"SET {name} = '{value}'" for name, value in (BOUNDS | KEEPALIVES | PLANS).items())
# Behind a pooler a session is many: each transaction may have another connection to the server, on which
# somebody has asked for something, or nobody for anything. So each asks for its own.
ASK_EACH_TIME = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in BOUNDS.items())

# The other way round: a server whose host vanishes in the middle of a query is given up after 11 s, not after
# the many minutes for which TCP tries.
SERVER_VANISHED = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 11_000,
}

# A connection that was in use so lately is not asked whether it is alive.
ALIVE_SECONDS = 1.0
USED_AT = "alertops.used_at"
POOLED = "alertops.pooled"


class Base(DeclarativeBase):
    """The declarative base of every table."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: DateTime(timezone=True), dict[str, Any]: JSONB}  # noqa: RUF012  SQLAlchemy reads it from the class


def engine_options() -> dict[str, Any]:
    """Options of every engine. Connecting is bounded; `bounded` notices connections that died."""
    return {
        # An error that quotes its statement must not quote password hashes and alerts with it.
        "hide_parameters": True,
        # The protocol locks, and then reads what others committed meanwhile. It needs this level, whatever
        # the server's default is.
        "isolation_level": "READ COMMITTED",
        "pool_size": 20,
        "max_overflow": 10,
        "pool_timeout": 5,
        "connect_args": {"connect_timeout": 5, "application_name": "alertops", **SERVER_VANISHED},
    }


def session_factory(database_url: str) -> sessionmaker[Session]:
    """Sessions for workers and tools. Rows stay readable after the commit that ends their transaction."""
    return sessionmaker(bounded(create_engine(database_url, **engine_options())), expire_on_commit=False)


def bounded(engine: Engine) -> Engine:
    """Have every transaction of the engine bounded by `BOUNDS`, and every connection known to be alive."""
    event.listen(engine, "connect", _ask_for_bounds)
    event.listen(engine, "begin", _ask_behind_a_pooler)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_require_alive, engine))
    return engine


def _note_use(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[USED_AT] = time.monotonic()


def _require_alive(
    engine: Engine, connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Ask the server for a sign of life, unless the connection was in use a moment ago.

    SQLAlchemy's own ping asks before every transaction, which is a fifth of what firing a step waits for.
    One that died in that moment fails in use, as it would have a moment earlier.
    """
    used_at = record.info.get(USED_AT)
    if used_at is None or time.monotonic() - used_at < ALIVE_SECONDS:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        # All others of this pool are as old.
        raise InvalidatePoolError from error


def _ask_for_bounds(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (server,) = cursor.fetchone() or (None,)
        # A pooler tells each client a process of its own making, by which the client cancels.
        record.info[POOLED] = server != connection.info.backend_pid
        if not record.info[POOLED]:
            cursor.execute(ASK_ONCE)
    connection.commit()


def _ask_behind_a_pooler(connection: Connection) -> None:
    if connection.info.get(POOLED):
        connection.exec_driver_sql(ASK_EACH_TIME)


@dataclass(frozen=True)
class Moment:
    """A time by the database's clock, and when it was read, by a clock of ours that never goes back."""

    at: datetime
    read_at: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """The database's time by now, to wake somebody by; whether anything is due is not decided with it."""
        return self.at + timedelta(seconds=time.monotonic() - self.read_at)


def database_now(session: Session) -> datetime:
    """The time, by the only clock that decides: the database's, as of this statement."""
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return now


# Selected or returned by a statement, it lets the running transaction commit without waiting for the disk.
# Only for what may be lost without harm, such as the mark that a wake-up was published.
UNFLUSHED = func.set_config("synchronous_commit", "off", True)
_UNFLUSHED = select(UNFLUSHED)


def commit_without_flush(session: Session) -> None:
    """The same, as a statement of its own."""
    session.execute(_UNFLUSHED)
