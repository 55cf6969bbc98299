"""What work costs a database and a broker, counted: numbers that do not depend on a machine's mood.

Whether a commit waits for the disk is not guessed: just before each, Postgres is asked on the same connection
whether the transaction has written anything, and whether it was told not to wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event

# A transaction that has written, or locked, has a number. One without is over without touching the disk.
_WRITTEN = (
    "SELECT pg_current_xact_id_if_assigned() IS NOT NULL, current_setting('synchronous_commit') = 'off'"
)
# Of this session, since it last handed its figures over: so what counts is the difference.
_ROWS_READ = (
    "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_user_tables"
)


@dataclass
class Cost:
    """`round_trips` are all that the client waits for: statements or batches of them, BEGIN, and the end."""

    statements: int = 0
    round_trips: int = 0
    commits: int = 0
    flushes: int = 0
    rows_read: int = 0
    texts: list[str] = field(default_factory=list, repr=False)


@contextmanager
def counted(engine: Engine) -> Iterator[Cost]:
    """Count what goes through the engine's connections inside; one thread alone may use them."""
    cost = Cost()

    def executes(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("PREPARE"):
            # Once in the life of a connection.
            return
        cost.round_trips += 1
        cost.statements += 1 + statement.rstrip("; \n").count(";")
        cost.texts.append(statement)

    def begins(connection: Any) -> None:
        # psycopg2 sends its BEGIN ahead of the first statement, and waits for the answer.
        cost.round_trips += 1
        cost.rows_read -= _ask(connection, _ROWS_READ)[0]

    def commits(connection: Any) -> None:
        wrote, unflushed = _ask(connection, _WRITTEN)
        cost.round_trips += 1
        cost.commits += int(wrote)
        cost.flushes += int(wrote and not unflushed)
        cost.rows_read += _ask(connection, _ROWS_READ)[0]

    def rolls_back(connection: Any) -> None:
        cost.round_trips += 1
        cost.rows_read += _ask(connection, _ROWS_READ)[0]

    listeners: dict[str, Callable[..., Any]] = {
        "before_cursor_execute": executes,
        "begin": begins,
        "commit": commits,
        "rollback": rolls_back,
    }
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    try:
        yield cost
    finally:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)


def _ask(connection: Any, question: str) -> tuple[Any, ...]:
    """Past SQLAlchemy, so that it is not counted itself."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(question)
        answer: tuple[Any, ...] = cursor.fetchone()
        return answer
