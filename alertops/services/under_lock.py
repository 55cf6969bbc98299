"""Lock an execution, and read what is wanted of it under the lock, in one round trip.

The lock is a statement of its own, for the reason that `lock.py` gives. Sent together, the two are still two:
in READ COMMITTED each has a snapshot of its own, and the second takes its when the first one has the lock
(`tests/integration/test_under_lock.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select
from sqlalchemy.orm import Session

from alertops.services.prepared import Prepared

_LOCK = "SELECT FROM executions WHERE id = %(locked_execution)s FOR NO KEY UPDATE"


class ReadUnderLock:
    """A query that is made once, and runs with an execution's row lock, which the transaction then keeps.

    The rows are as the driver reads them: SQLAlchemy's types are not asked.
    """

    def __init__(self, read: Select[Any]) -> None:
        self._read = Prepared(read, after=_LOCK)

    def rows(self, session: Session, execution_id: UUID, values: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """None when there is no such execution, if the query joins it."""
        return self._read.run(session, {**values, "locked_execution": execution_id}).all()
