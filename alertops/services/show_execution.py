"""An execution as a reader wants it: what was done, what is being done, and what is still planned."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.escalation.operations import next_step
from alertops.escalation.plan import PlannedStep
from alertops.escalation.state import to_come
from alertops.escalation.states import StepStatus
from alertops.models import Attempt, Execution, Step
from alertops.services.lock import planning_state, read_steps


@dataclass(frozen=True)
class ShownStep:
    """A step with its node and its attempts; `planned` when no row was written for it yet."""

    number: int
    round: int
    node_index: int
    node_id: str
    node_name: str
    status: StepStatus | Literal["planned"]
    planned_at: datetime
    due_at: datetime
    fired_at: datetime | None
    attempts: list[Attempt]

    @property
    def lateness_ms(self) -> int | None:
        """How long after its due time it fired."""
        if self.fired_at is None:
            return None
        return round((self.fired_at - self.due_at).total_seconds() * 1000)


@dataclass(frozen=True)
class ShownExecution:
    """An execution and its steps in order; and the number of the one that comes next, if one does."""

    execution: Execution
    steps: list[ShownStep]
    next_step: int | None


def show_execution(session: Session, execution: Execution) -> ShownExecution:
    """Read the steps and attempts, without a lock: a step that fires just now may show either state."""
    rows = read_steps(session, execution)
    state = planning_state(session, execution, rows)
    attempts = _attempts(session, execution)
    steps = [_shown(step, attempts[step.number]) for step in rows]
    if state.running:
        steps.extend(_planned(step) for step in to_come(state))
    return ShownExecution(execution, steps, next_step(state))


def _attempts(session: Session, execution: Execution) -> dict[int, list[Attempt]]:
    by_step: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in session.scalars(
        select(Attempt)
        .where(Attempt.execution_id == execution.id)
        .order_by(Attempt.step_number, Attempt.target_number, Attempt.number)
    ):
        by_step[attempt.step_number].append(attempt)
    return by_step


def _shown(step: Step, attempts: list[Attempt]) -> ShownStep:
    return ShownStep(
        number=step.number,
        round=step.round,
        node_index=step.node_index,
        node_id=step.node_id,
        node_name=step.node_name,
        status=StepStatus(step.status),
        planned_at=step.planned_at,
        due_at=step.due_at,
        fired_at=step.fired_at,
        attempts=attempts,
    )


def _planned(step: PlannedStep) -> ShownStep:
    return ShownStep(
        number=step.number,
        round=step.round,
        node_index=step.node_index,
        node_id=step.node_id,
        node_name=step.node_name,
        status="planned",
        planned_at=step.due_at,
        due_at=step.due_at,
        fired_at=None,
        attempts=[],
    )
