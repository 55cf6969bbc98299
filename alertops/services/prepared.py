"""Statements that are made into SQL once, and planned once by each connection; then only values are sent.

What runs for every step is worth it. To look a statement up in SQLAlchemy's cache takes as long as sending
it, and Postgres spends more time on planning such a statement than on carrying it out. So it is prepared on
the server, under its name, by which an operator finds it in `pg_stat_activity`: `EXECUTE claim_attempt(...)`.

Values are the driver's business: text, numbers, times, UUIDs, lists of them; JSON must be text already.

Behind a pooler a session of ours is many on the server (`db.py`), which know nothing of what another one has
prepared: there the same statement is sent whole each time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, CursorResult, Insert, Select, Update
from sqlalchemy.dialects.postgresql import psycopg2
from sqlalchemy.orm import Session

from alertops.db import POOLED

_DIALECT = psycopg2.dialect()  # type: ignore[no-untyped-call]
_PARAMETER = re.compile(r"%\((\w+)\)s")
# Of a connection: the names of what it has prepared. Forgotten with the connection.
_PREPARED = "alertops.prepared"


class Prepared:
    """A statement. Parameters without a value are given each time; of an INSERT, these columns."""

    def __init__(
        self, name: str, statement: Insert | Select[*tuple[Any, ...]] | Update, *columns: str
    ) -> None:
        """`name` is an identifier that no other statement has."""
        compiled = statement.compile(dialect=_DIALECT, column_keys=list(columns) or None)
        bound = compiled.bind_names.items()
        self.name = name
        self._whole = str(compiled)
        # They stay literals: an index of some rows only is used for what says that it wants those.
        self.constants = {key: bind.effective_value for bind, key in bound if not bind.required}
        used = dict.fromkeys(_PARAMETER.findall(self._whole))
        given = [key for key in used if key not in self.constants]
        numbers = {key: f"${number}" for number, key in enumerate(given, start=1)}
        text = _PARAMETER.sub(lambda found: numbers.get(found[1], found[0]), self._whole)
        self._prepare = f"PREPARE {name} AS {text}"
        arguments = ", ".join(f"%({key})s" for key in given)
        self._execute = f"EXECUTE {name}({arguments})" if given else f"EXECUTE {name}"

    def run(self, session: Session, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Send it with these values; several may be sent in one message (`under_lock.py`)."""
        connection = session.connection()
        return connection.exec_driver_sql(self.call(connection), {**self.constants, **values})

    def call(self, connection: Connection) -> str:
        """What to send over this connection, with all the `constants`; prepares it, if it has to."""
        if connection.info.get(POOLED, True):
            return self._whole
        known: set[str] = connection.info.setdefault(_PREPARED, set())
        if self.name not in known:
            # Not undone by a rollback; and a connection that loses the answer is lost itself.
            connection.exec_driver_sql(self._prepare, self.constants)
            known.add(self.name)
        return self._execute
