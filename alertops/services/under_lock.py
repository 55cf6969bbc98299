"""Lock an execution, and do what is wanted under the lock, in one round trip.

The lock is a statement of its own, for the reason that `lock.py` gives. Sent together, the two are still two:
in READ COMMITTED each has a snapshot of its own, and the second takes its when the first one has the lock
(`tests/integration/test_under_lock.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Select, Table, Update, bindparam, select
from sqlalchemy.orm import Session

from alertops.models import Execution
from alertops.services.prepared import Prepared

_EXECUTIONS = cast(Table, Execution.__table__)
_LOCK = Prepared(
    "lock_execution",
    select()
    .select_from(_EXECUTIONS)
    .where(_EXECUTIONS.c.id == bindparam("locked_execution"))
    .with_for_update(key_share=True),
)


class UnderLock:
    """A statement that is made once, and runs with an execution's row lock, which the transaction then keeps.

    Rows are as the driver reads them: SQLAlchemy's types are not asked.
    """

    def __init__(self, name: str, statement: Select[Any] | Update) -> None:
        self._statement = Prepared(name, statement)

    def run(self, session: Session, execution_id: UUID, values: Mapping[str, Any]) -> CursorResult[Any]:
        """The result of the statement, which must ask for the execution if it is to be empty without it."""
        connection = session.connection()
        both = f"{_LOCK.call(connection)};\n{self._statement.call(connection)}"
        known = {**_LOCK.constants, **self._statement.constants, "locked_execution": execution_id}
        return connection.exec_driver_sql(both, {**known, **values})
