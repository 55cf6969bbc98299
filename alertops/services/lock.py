"""The execution's row lock, and what is read under it.

The lock is taken in a statement of its own. A statement that locks and joins at once would, after
waiting for the lock, see the other rows as they were before it waited (READ COMMITTED).

`FOR NO KEY UPDATE` keeps every other transition of the same execution out, and lets inserts that
merely refer to the execution pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from alertops.escalation.events import Due, Progress
from alertops.escalation.flow import Flow, Node, flow_from_json
from alertops.escalation.plan import Course, Firing
from alertops.escalation.state import Leg, State, WaitingStep
from alertops.escalation.states import UNFINISHED, AttemptStatus, ExecutionStatus, StepStatus
from alertops.models import Attempt, Execution, FlowRevision, Step
from alertops.services.keys import AttemptKey, StepKey

Flows = Mapping[int | None, Flow]
"""What revisions say, by their number; under None, what an execution that was handed to a person runs."""


def lock_execution(session: Session, execution_id: UUID) -> Execution | None:
    """Lock the row until the transaction ends, and read it as it is now."""
    return session.scalars(
        select(Execution)
        .where(Execution.id == execution_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def revision_run(execution: Execution) -> int | None:
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


def planning_state(session: Session, execution: Execution, steps: Sequence[Step]) -> State:
    """What the machine needs to know to plan what comes next; `steps` are all that there are."""
    leg = [step for step in steps if step.number >= execution.first_step]
    flows = _flows(session, execution, {step.revision_number for step in leg})
    nodes = {step.number: node for step in leg for node in _nodes(flows, step)}
    return _state(execution, flows, nodes, _leg(leg, steps[-1].number if steps else 0))


def attempt_state(session: Session, execution: Execution, step: int) -> State:
    """What the machine needs to know about a try at a target of this step, in one statement."""
    if step < execution.first_step:
        # Left behind: what its node said matters no more.
        return _state(execution, _flows(session, execution, set()), {})
    of_step = and_(Step.execution_id == execution.id, Step.number == step)
    revision = FlowRevision.number
    found = session.execute(
        select(revision, FlowRevision.definition, Step.node_id, Step.revision_number)
        .join(Step, of_step)
        .where(
            FlowRevision.flow_id == execution.flow_id,
            or_(revision == execution.revision_number, revision == Step.revision_number),
        )
    ).all()
    flows = {number: flow_from_json(definition) for number, definition, _, _ in found}
    _, _, node_id, of_revision = found[0]
    flows |= _own(execution)
    return _state(execution, flows, {step: _node(flows[of_revision], node_id)})


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
        waiting=Due(waiting.number, waiting.due_at) if waiting else None,
        reached=delivered > 0,
        open_in_step=open_in_step,
        open_elsewhere=open_elsewhere,
    )


def course_of(execution: Execution) -> Course:
    """What its due times are counted from."""
    return Course(execution.anchor_at, execution.not_before_at)


def _flows(session: Session, execution: Execution, numbers: set[int | None]) -> Flows:
    """What the execution's revision says, and these others of the same flow."""
    wanted = {execution.revision_number, *numbers} - {None}
    found = session.execute(
        select(FlowRevision.number, FlowRevision.definition).where(
            FlowRevision.flow_id == execution.flow_id, FlowRevision.number.in_(wanted)
        )
    )
    return {number: flow_from_json(definition) for number, definition in found} | _own(execution)


def _own(execution: Execution) -> dict[int | None, Flow]:
    return {} if execution.definition is None else {None: flow_from_json(execution.definition)}


def _node(flow: Flow, node_id: str) -> Node:
    return next(node for node in flow.nodes if node.id == node_id)


def _nodes(flows: Flows, step: Step) -> list[Node]:
    """The step's node. Whoever reads without a lock may find a step of a flow that was taken up just now."""
    flow = flows.get(step.revision_number)
    return [] if flow is None else [node for node in flow.nodes if node.id == step.node_id]


def _leg(steps: Sequence[Step], last_number: int) -> Leg:
    fired = [step for step in steps if step.status == StepStatus.FIRED]
    waiting = next((step for step in steps if step.status == StepStatus.WAITING), None)
    return Leg(
        fired=tuple(firing_of(step) for step in fired),
        waiting=WaitingStep(waiting.number, waiting.due_at, firing_of(waiting)) if waiting else None,
        last_fired=fired[-1].number if fired else 0,
        last_number=last_number,
    )


def firing_of(step: Step) -> Firing:
    """Which node a step fires, in which round."""
    return Firing(step.round, step.node_id)


def _state(execution: Execution, flows: Flows, nodes: Mapping[int, Node], leg: Leg | None = None) -> State:
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
