"""Statements that are made into SQL once, and then are only sent.

SQLAlchemy looks each statement up in its cache when it is run, which takes as long as sending it. So what
runs for every step goes to the driver as it is. Values are the driver's business then: text, numbers, times,
UUIDs; JSON must be text already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CursorResult, Insert, Select, Update
from sqlalchemy.dialects.postgresql import psycopg2
from sqlalchemy.orm import Session

_DIALECT = psycopg2.dialect()  # type: ignore[no-untyped-call]


class Prepared:
    """A statement. Parameters without a value are given each time; of an INSERT, these columns."""

    def __init__(self, statement: Insert | Select[Any] | Update, *columns: str, after: str = "") -> None:
        """With `after`, another statement is sent ahead in the same message."""
        compiled = statement.compile(dialect=_DIALECT, column_keys=list(columns) or None)
        self._text = f"{after};\n{compiled}" if after else str(compiled)
        bound = compiled.bind_names.items()
        self._constants = {name: bind.effective_value for bind, name in bound if not bind.required}

    def run(self, session: Session, values: Mapping[str, Any]) -> CursorResult[Any]:
        return session.connection().exec_driver_sql(self._text, {**self._constants, **values})
