"""Wake-ups that the broker did not take are counted: by a row for each time, which recovery adds up.

A counter that all change would be one more thing to wait for, just when the broker is down.
"""

from __future__ import annotations

from enum import StrEnum
from typing import cast

from sqlalchemy import Table, delete, func, insert, select
from sqlalchemy.orm import Session

from alertops.models import DispatchFailure
from alertops.services.recovery_record import kept_if_possible

# So many rows are read as quickly as one.
FEW = 50

_FAILURES = cast(Table, DispatchFailure.__table__)


class DispatchFault(StrEnum):
    """Why the broker did not take them."""

    UNAVAILABLE = "unavailable"  # it did not answer, or not in time
    UNCONFIRMED = "unconfirmed"  # it answered, and has no queue for them or refused them


def count_failure(session: Session, reason: DispatchFault, rows: int) -> None:
    """Count them. The session must have no transaction open. A database that is down counts nothing."""
    with kept_if_possible(session):
        # Behind the wall it may be written, and not read: nothing is asked back.
        session.execute(insert(_FAILURES).values(reason=reason, rows=rows).inline())


def add_up_failures(session: Session) -> None:
    """Make one row a reason of many. The sum is the same at every moment, for whoever reads meanwhile."""
    with kept_if_possible(session):
        if (session.scalar(select(func.count()).select_from(DispatchFailure)) or 0) > FEW:
            gone = delete(DispatchFailure).returning(DispatchFailure.reason, DispatchFailure.rows).cte("gone")
            sums = select(gone.c.reason, func.sum(gone.c.rows)).group_by(gone.c.reason)
            session.execute(insert(DispatchFailure).from_select(["reason", "rows"], sums))
