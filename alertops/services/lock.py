"""The execution's row lock, and what is read under it.

The lock is taken in a statement of its own. A statement that locks and joins at once would, after
waiting for the lock, see the other rows as they were before it waited (READ COMMITTED).

`FOR NO KEY UPDATE` keeps every other transition of the same execution out, and lets inserts that
merely refer to the execution pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from alertops.escalation.flow import Flow, Node, flow_from_json
from alertops.escalation.plan import Course, Firing
from alertops.escalation.state import Leg, State, WaitingStep
from alertops.escalation.states import ExecutionStatus, StepStatus
from alertops.models import Execution, Step
from alertops.services.frozen_flows import read_flows

Flows = Mapping[int | None, Flow]
"""What revisions say, by their number; under None, what an execution that was handed to a person runs."""


_LOCK = (
    select(Execution)
    .where(Execution.id == bindparam("key"))
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)


class Run(Protocol):
    """What is known of a locked execution, by whichever way it was read."""

    @property
    def id(self) -> UUID: ...
    @property
    def flow_id(self) -> UUID: ...
    @property
    def revision_number(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def anchor_at(self) -> datetime: ...
    @property
    def not_before_at(self) -> datetime | None: ...
    @property
    def first_step(self) -> int: ...
    @property
    def definition(self) -> dict[str, Any] | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def snoozed_until(self) -> datetime | None: ...


class StepRow(Protocol):
    """What is known of a step, likewise."""

    @property
    def number(self) -> int: ...
    @property
    def round(self) -> int: ...
    @property
    def node_id(self) -> str: ...
    @property
    def revision_number(self) -> int | None: ...
    @property
    def status(self) -> str: ...
    @property
    def due_at(self) -> datetime: ...


def lock_execution(session: Session, execution_id: UUID) -> Execution | None:
    """Lock the row until the transaction ends, and read it as it is now."""
    return session.scalars(_LOCK, {"key": execution_id}).one_or_none()


def revision_run(execution: Run) -> int | None:
    """The revision that the execution runs; None when it was handed to a person."""
    return None if execution.definition is not None else execution.revision_number


def read_steps(session: Session, execution: Execution) -> Sequence[Step]:
    """All steps of a locked execution, in order, as they are now."""
    return session.scalars(
        select(Step)
        .where(Step.execution_id == execution.id)
        .order_by(Step.number)
        .execution_options(populate_existing=True)
    ).all()


def planning_state(session: Session, execution: Run, steps: Sequence[StepRow]) -> State:
    """What the machine needs to know to plan what comes next; `steps` are all that there are."""
    leg = [step for step in steps if step.number >= execution.first_step]
    flows = _flows(session, execution, {step.revision_number for step in leg})
    nodes = {step.number: node for step in leg for node in _nodes(flows, step)}
    return _state(execution, flows, nodes, _leg(leg, steps[-1].number if steps else 0))


def attempt_state(
    session: Session, execution: Run, step: int, *, node_id: str, revision_number: int | None
) -> State:
    """What the machine needs to know about a try at a target of this step, which fires this node."""
    if step < execution.first_step:
        # Left behind: what its node said matters no more.
        return _state(execution, _flows(session, execution, set()), {})
    flows = _flows(session, execution, {revision_number})
    return _state(execution, flows, {step: _node(flows[revision_number], node_id)})


def course_of(execution: Run) -> Course:
    """What its due times are counted from."""
    return Course(execution.anchor_at, execution.not_before_at)


def _flows(session: Session, execution: Run, numbers: set[int | None]) -> Flows:
    """What the execution's revision says, and these others of the same flow."""
    wanted = {execution.revision_number, *(number for number in numbers if number is not None)}
    flows = read_flows(session, execution.flow_id, wanted)
    return dict[int | None, Flow](flows.items()) | _own(execution)


def _own(execution: Run) -> dict[int | None, Flow]:
    return {} if execution.definition is None else {None: flow_from_json(execution.definition)}


def _node(flow: Flow, node_id: str) -> Node:
    return next(node for node in flow.nodes if node.id == node_id)


def _nodes(flows: Flows, step: StepRow) -> list[Node]:
    """The step's node. Whoever reads without a lock may find a step of a flow that was taken up just now."""
    flow = flows.get(step.revision_number)
    return [] if flow is None else [node for node in flow.nodes if node.id == step.node_id]


def _leg(steps: Sequence[StepRow], last_number: int) -> Leg:
    fired = [step for step in steps if step.status == StepStatus.FIRED]
    waiting = next((step for step in steps if step.status == StepStatus.WAITING), None)
    return Leg(
        fired=tuple(firing_of(step) for step in fired),
        waiting=WaitingStep(waiting.number, waiting.due_at, firing_of(waiting)) if waiting else None,
        last_fired=fired[-1].number if fired else 0,
        last_number=last_number,
    )


def firing_of(step: StepRow) -> Firing:
    """Which node a step fires, in which round."""
    return Firing(step.round, step.node_id)


def _state(execution: Run, flows: Flows, nodes: Mapping[int, Node], leg: Leg | None = None) -> State:
    return State(
        status=ExecutionStatus(execution.status),
        flow=flows[revision_run(execution)],
        course=course_of(execution),
        started_at=execution.created_at,
        first_step=execution.first_step,
        snoozed_until=execution.snoozed_until,
        nodes=nodes,
        leg=leg or Leg(),
    )
