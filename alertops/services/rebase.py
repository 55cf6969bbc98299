"""Rebase: an execution that runs goes on with the newest revision of its flow.

What has fired stays, and is not fired again, wherever its node stands now. What waits is planned anew from
the same anchor: a node that was removed is not fired, and one that would have been due by now fires at once,
once. First is told what would come of it, both timelines side by side; then it is done, for the revision that
was told, or refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.errors import ConflictError, NotFoundError
from alertops.escalation.decision import Decision, Reason
from alertops.escalation.events import Rebase
from alertops.escalation.flow import Flow
from alertops.escalation.machine import decide
from alertops.escalation.operations import POSSIBLE
from alertops.escalation.plan import Course, PlannedStep, plan
from alertops.escalation.state import State
from alertops.models import Execution
from alertops.models import Flow as FlowRow
from alertops.services import transitions
from alertops.services.dispatch import Dispatcher
from alertops.services.flows.revisions import newest_definition
from alertops.services.keys import StepKey
from alertops.services.lock import lock_execution, planning_state, read_steps
from alertops.services.operate import Answered, By, carry_out, refuse
from alertops.services.progress import progress_of


@dataclass(frozen=True)
class Rebasing:
    """From which revision to which, and what is still to come by either, if nobody answers."""

    from_revision: int
    to_revision: int
    before: Sequence[PlannedStep]
    after: Sequence[PlannedStep]


def preview_rebase(session: Session, execution_id: UUID) -> Rebasing:
    """What a rebase would do now; changes nothing. Raises as `rebase` does."""
    execution, state, flow, _ = _read(session, execution_id)
    now = database_now(session)
    decision = _decide(session, execution, state, flow, now)
    refuse(session, execution, decision, "rebase")
    told = Rebasing(
        execution.revision_number,
        _newest(session, execution),
        _what_is_left(state, state.flow, state.course),
        _what_is_left(state, flow, Course(state.course.anchor_at, now)),
    )
    session.rollback()
    return told


def rebase(session: Session, dispatcher: Dispatcher, execution_id: UUID, revision: int, by: By) -> Answered:
    """Move the execution to this revision, which must be its flow's newest, and commit.

    Raises `NotFoundError`, and `ConflictError` when the flow has a newer revision, or the execution's state
    does not allow it. Safe to repeat: what runs that revision already is left as it is.
    """
    execution, state, flow, row = _read(session, execution_id)
    if row.revision_number != revision:
        session.rollback()
        raise ConflictError(
            f"the newest revision is {row.revision_number}, not {revision}: look at what it would change",
            revision=row.revision_number,
        )
    came_from = execution.revision_number
    decision = _decide(session, execution, state, flow, database_now(session))
    refuse(session, execution, decision, "rebase")
    if decision.reason is Reason.REBASED:
        transitions.run_flow(session, execution, execution.flow_id, revision, first_step=execution.first_step)
    said = {"revision": revision, "came_from_revision": came_from}
    return carry_out(session, dispatcher, execution, decision, by, did="rebase", said=said)


def _read(session: Session, execution_id: UUID) -> tuple[Execution, State, Flow, FlowRow]:
    """The execution is locked; the newest revision is one that has committed, and never changes."""
    execution = lock_execution(session, execution_id)
    if execution is None:
        raise NotFoundError("there is no such execution")
    row = session.get_one(FlowRow, execution.flow_id, populate_existing=True)
    state = planning_state(session, execution, read_steps(session, execution))
    return execution, state, newest_definition(session, row), row


def _newest(session: Session, execution: Execution) -> int:
    return session.get_one(FlowRow, execution.flow_id).revision_number


def _decide(session: Session, execution: Execution, state: State, flow: Flow, now: datetime) -> Decision:
    if state.status in POSSIBLE[Rebase] and execution.definition is not None:
        session.rollback()
        raise ConflictError("the execution was handed to a person, and runs no flow: reassign it to one")
    if state.status in POSSIBLE[Rebase] and execution.revision_number == _newest(session, execution):
        return Decision(Reason.ALREADY)
    progress = progress_of(session, StepKey(execution.id, state.leg.last_fired))
    unfinished = progress.open_in_step + progress.open_elsewhere
    reached = progress.reached or progress.open_in_step > 0
    return decide(state, Rebase(flow, unfinished, reached), now)


def _what_is_left(state: State, flow: Flow, course: Course) -> list[PlannedStep]:
    """What has not fired, the step that waits among it, as the plan has it."""
    leg = state.leg
    next_number = leg.waiting.number if leg.waiting else leg.last_number + 1
    return list(plan(flow, course, frozenset(leg.fired), next_number))
