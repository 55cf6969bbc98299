"""An execution as a reader wants it: what was done, what is being done, and what is still planned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.escalation.flow import Flow, flow_from_json
from alertops.escalation.plan import plan
from alertops.escalation.states import ExecutionStatus, StepStatus
from alertops.models import Attempt, Execution, FlowRevision, Step


@dataclass(frozen=True)
class ShownStep:
    """A step with its node's name and its attempts; `planned` when no row was written for it yet."""

    number: int
    round: int
    node_index: int
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
    """An execution and its steps in order."""

    execution: Execution
    steps: list[ShownStep]


def show_execution(session: Session, execution: Execution) -> ShownExecution:
    """Read the steps and attempts, without a lock: a step that fires just now may show either state."""
    definition = session.get_one(FlowRevision, (execution.flow_id, execution.revision_number)).definition
    flow = flow_from_json(definition)
    rows = session.scalars(select(Step).where(Step.execution_id == execution.id).order_by(Step.number))
    attempts = _attempts(session, execution)
    steps = [_shown(flow, step, attempts[step.number]) for step in rows]
    if execution.status == ExecutionStatus.RUNNING:
        steps.extend(_remainder(flow, execution.anchor_at, len(steps)))
    return ShownExecution(execution, steps)


def _attempts(session: Session, execution: Execution) -> dict[int, list[Attempt]]:
    by_step: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in session.scalars(
        select(Attempt)
        .where(Attempt.execution_id == execution.id)
        .order_by(Attempt.step_number, Attempt.target_number, Attempt.number)
    ):
        by_step[attempt.step_number].append(attempt)
    return by_step


def _shown(flow: Flow, step: Step, attempts: list[Attempt]) -> ShownStep:
    return ShownStep(
        number=step.number,
        round=step.round,
        node_index=step.node_index,
        node_name=flow.nodes[step.node_index].name,
        status=StepStatus(step.status),
        planned_at=step.planned_at,
        due_at=step.due_at,
        fired_at=step.fired_at,
        attempts=attempts,
    )


def _remainder(flow: Flow, anchor_at: datetime, written: int) -> Iterable[ShownStep]:
    """The steps after those that have rows; rows are written in the order of the plan."""
    for step in islice(plan(flow, anchor_at), written, None):
        yield ShownStep(
            number=step.number,
            round=step.round,
            node_index=step.node_index,
            node_name=flow.nodes[step.node_index].name,
            status="planned",
            planned_at=step.due_at,
            due_at=step.due_at,
            fired_at=None,
            attempts=[],
        )
