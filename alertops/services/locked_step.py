"""A step with all that is needed to fire it, locked and read in one round trip."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from alertops.db import Moment
from alertops.escalation.state import State
from alertops.models import Execution, Step
from alertops.services.keys import StepKey
from alertops.services.lock import planning_state
from alertops.services.locked import EXECUTION_COLUMNS, STEP_COLUMNS, LockedExecution, LockedStep
from alertops.services.under_lock import UnderLock

_EXECUTION_WIDTH = len(EXECUTION_COLUMNS)
_WIDTH = _EXECUTION_WIDTH + len(STEP_COLUMNS)

# All steps: which of them have fired decides which comes next.
_TO_FIRE = UnderLock(
    "lock_and_read_to_fire",
    select(*EXECUTION_COLUMNS, *STEP_COLUMNS, func.clock_timestamp().label("now"))
    .select_from(Execution)
    .join(Step, Step.execution_id == Execution.id)
    .where(Execution.id == bindparam("key_execution"))
    .order_by(Step.number),
)


@dataclass(frozen=True)
class ToFire:
    execution: LockedExecution
    step: LockedStep
    state: State
    moment: Moment


def lock_to_fire(session: Session, key: StepKey) -> ToFire | None:
    """Lock the step's execution and read; None when there is no such step."""
    rows = _TO_FIRE.run(session, key.execution_id, {"key_execution": key.execution_id}).all()
    steps = [LockedStep(*row[_EXECUTION_WIDTH:_WIDTH]) for row in rows]
    step = next((step for step in steps if step.number == key.step), None)
    if step is None:
        return None
    moment = Moment(rows[-1].now)
    execution = LockedExecution(*rows[0][:_EXECUTION_WIDTH])
    return ToFire(execution, step, planning_state(session, execution, steps), moment)
