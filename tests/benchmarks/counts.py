"""What was done meanwhile, counted by the servers themselves: transactions, statements, messages."""

from __future__ import annotations

from typing import NamedTuple, Self

from tests.benchmarks.stage import Room, autocommitting

_BROKER = (
    "C = maps:get([{protocol, amqp091}], rabbit_global_counters:overview()),"
    ' io:format("~p ~p~n", [maps:get(messages_received_total, C), maps:get(messages_confirmed_total, C)]).'
)
# Who does not wait for the disk says so by the one `set_config` of its statement, whose arguments Postgres
# leaves out of what it shows; the walls set three at once.
_SETS_ONE = "length(query) - length(replace(query, 'set_config(', '')) = length('set_config(')"
# Calls of this room alone; asking for them is a statement of another one.
_STATEMENTS = rf"""
    SELECT coalesce(sum(calls), 0),
           coalesce(sum(calls) FILTER (WHERE query ILIKE '%%synchronous_commit%%' OR {_SETS_ONE}), 0),
           coalesce(sum(rows) FILTER (WHERE query ~* '^(PREPARE \w+ AS )?SELECT'), 0),
           coalesce(sum(total_exec_time), 0)
    FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = %s)
"""
# A transaction that writes, or locks a row, takes a number. Looking at the next one takes none.
_TRANSACTIONS = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_WAL = "SELECT wal_bytes, wal_sync FROM pg_stat_wal"


class Counts(NamedTuple):
    """Until now. `writes` are transactions that changed or locked something; `unflushed`, of these, those
    that did not wait for the disk; `messages`, all that the broker received; `confirmed`, those that it
    confirmed, as it does wake-ups and not the events that Celery's workers tell.
    """

    writes: float
    unflushed: float
    statements: float
    rows_read: float
    database_ms: float
    wal_bytes: float
    syncs: float
    messages: float
    confirmed: float

    @property
    def flushed(self) -> float:
        return self.writes - self.unflushed

    def since(self, before: Self) -> Counts:
        return Counts(*(now - then for now, then in zip(self, before, strict=True)))


def count(room: Room) -> Counts:
    """The counts of the room's database and of the broker; takes a second or two."""
    messages, confirmed = map(float, room.stage.stack.rabbitmq.ctl("eval", _BROKER).split()[:2])
    # Of another database, so that this is not counted itself.
    server = room.stage.stack.addresses.database_url.replace("+psycopg2", "", 1)
    with autocommitting(server) as session, session.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        cursor.execute(_TRANSACTIONS)
        (writes,) = cursor.fetchone() or (0,)
        cursor.execute(_STATEMENTS, [room.addresses.database_url.rpartition("/")[2]])
        statements, unflushed, rows, milliseconds = map(float, cursor.fetchone() or (0,) * 4)
        cursor.execute(_WAL)
        wal, syncs = map(float, cursor.fetchone() or (0,) * 2)
    return Counts(float(writes), unflushed, statements, rows, milliseconds, wal, syncs, messages, confirmed)
