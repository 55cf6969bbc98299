"""How far an execution is: which step waits, who was reached, what is still open.

It is asked alone, or joined to a query that reads more. Its parameters are those of a key.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Row, Select, bindparam, func, or_, select, true
from sqlalchemy.orm import Session

from alertops.escalation.events import Due, Progress
from alertops.escalation.states import UNFINISHED, AttemptStatus, StepStatus
from alertops.models import Attempt, Step
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.parameters import of_attempt

_EXECUTION: BindParameter[UUID] = bindparam("key_execution")
_HERE = Attempt.step_number == bindparam("key_step")
_ENDING = (
    _HERE & (Attempt.target_number == bindparam("key_target")) & (Attempt.number == bindparam("key_attempt"))
)
_OPEN = or_(*(Attempt.status == status for status in UNFINISHED))

_WAITING = (
    select(Step.number, Step.due_at)
    .where(Step.execution_id == _EXECUTION, Step.status == StepStatus.WAITING)
    .subquery("waiting")
)
_COUNTED = (
    select(
        func.count().filter(_HERE & (Attempt.status == AttemptStatus.DELIVERED)).label("delivered"),
        func.count().filter(_HERE & _OPEN).label("open_in_step"),
        func.count().filter(~_HERE & _OPEN).label("open_elsewhere"),
    )
    .where(Attempt.execution_id == _EXECUTION, ~_ENDING)
    .subquery("counted")
)
_COLUMNS = (
    _WAITING.c.number.label("waiting_number"),
    _WAITING.c.due_at.label("waiting_due_at"),
    *_COUNTED.c,
)

# No attempt has this number.
_NONE = 0


def with_progress(read: Select[Any]) -> Select[Any]:
    """The query with the columns that `progress_from` reads, of the execution and the attempt of its key."""
    return read.add_columns(*_COLUMNS).join(_COUNTED, true()).outerjoin(_WAITING, true())


_ALONE = select(*_COLUMNS).select_from(_COUNTED).outerjoin(_WAITING, true())


def progress_from(row: Row[Any]) -> Progress:
    return Progress(
        waiting=None if row.waiting_number is None else Due(row.waiting_number, row.waiting_due_at),
        reached=row.delivered > 0,
        open_in_step=row.open_in_step,
        open_elsewhere=row.open_elsewhere,
    )


def progress_of(session: Session, key: StepKey | AttemptKey) -> Progress:
    """How far the execution is, leaving out the attempt that the caller is about to end, if any."""
    whole = key if isinstance(key, AttemptKey) else AttemptKey(*key, _NONE, _NONE)
    return progress_from(session.execute(_ALONE, of_attempt(whole)).one())
