"""The execution's row lock, and what is read under it.

The lock is taken in a statement of its own. A statement that locks and joins at once would, after
waiting for the lock, see the other rows as they were before it waited (READ COMMITTED).

`FOR NO KEY UPDATE` keeps every other transition of the same execution out, and lets inserts that
merely refer to the execution pass.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.escalation.events import Progress, WaitingStep
from alertops.escalation.flow import flow_from_json
from alertops.escalation.machine import State
from alertops.escalation.states import UNFINISHED, AttemptStatus, ExecutionStatus, StepStatus
from alertops.models import Attempt, Execution, FlowRevision, Step
from alertops.services.keys import AttemptKey, StepKey


def lock_execution(session: Session, execution_id: UUID) -> Execution | None:
    """Lock the row until the transaction ends, and read it as it is now."""
    return session.scalars(
        select(Execution)
        .where(Execution.id == execution_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def state_of(session: Session, execution: Execution) -> State:
    """What the machine needs to know of a locked execution."""
    definition = session.scalars(
        select(FlowRevision.definition).where(
            FlowRevision.flow_id == execution.flow_id, FlowRevision.number == execution.revision_number
        )
    ).one()
    return State(ExecutionStatus(execution.status), flow_from_json(definition), execution.anchor_at)


def read_attempt(session: Session, key: AttemptKey) -> Attempt | None:
    """The attempt as it is now."""
    return session.get(Attempt, key, populate_existing=True)


def progress_of(session: Session, key: StepKey | AttemptKey) -> Progress:
    """How far the execution is, leaving out the attempt that the caller is about to end, if any."""
    waiting = session.execute(
        select(Step.number, Step.due_at).where(
            Step.execution_id == key.execution_id, Step.status == StepStatus.WAITING
        )
    ).one_or_none()
    here = Attempt.step_number == key.step
    unfinished = Attempt.status.in_(UNFINISHED)
    counted = select(
        func.count().filter(here & (Attempt.status == AttemptStatus.DELIVERED)),
        func.count().filter(here & unfinished),
        func.count().filter(~here & unfinished),
    ).where(Attempt.execution_id == key.execution_id)
    if isinstance(key, AttemptKey):
        counted = counted.where(
            ~(here & (Attempt.target_number == key.target) & (Attempt.number == key.attempt))
        )
    delivered, open_in_step, open_elsewhere = session.execute(counted).one()
    return Progress(
        waiting=WaitingStep(waiting.number, waiting.due_at) if waiting else None,
        reached=delivered > 0,
        open_in_step=open_in_step,
        open_elsewhere=open_elsewhere,
    )
