"""Reassign: another flow takes the execution over, or a person does.

The next leg begins: nothing of the one before is sent or tried any more; what had begun is not called back.
A person is told at once, and then the flow is at its end; how often they are tried is said by `HANDED_OVER`.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.errors import ConflictError, InvalidInputError
from alertops.escalation.decision import Decision, Reason
from alertops.escalation.events import Reassign
from alertops.escalation.flow import Flow, Node, RetryPolicy, flow_to_json
from alertops.escalation.machine import decide
from alertops.escalation.state import State
from alertops.models import Execution, User
from alertops.models import Flow as FlowRow
from alertops.services import transitions
from alertops.services.dispatch import Dispatcher
from alertops.services.flows.revisions import newest_definition
from alertops.services.operate import Answered, By, carry_out, lock_and_read, refuse
from alertops.services.recipients import NOT_A_MEMBER, find_strangers

# Whoever is handed an alert by hand is not to miss it: tried for two hours, at pauses of ten minutes at most.
HANDED_OVER = RetryPolicy(
    max_attempts=20,
    max_backoff_seconds=600,
    budget_seconds=int(timedelta(hours=2).total_seconds()),
)


def reassign_to_flow(
    session: Session, dispatcher: Dispatcher, execution_id: UUID, flow_id: UUID, by: By
) -> Answered:
    """Run that flow's newest revision from its beginning, and commit. It must be a flow of the same team.

    Raises `NotFoundError`, `InvalidInputError` for another team's flow, and `ConflictError` for an archived
    one, or when the execution's state does not allow it. What runs that flow already is left as it is.
    """
    row = _lock_flow(session, flow_id)
    execution, state = lock_and_read(session, execution_id)
    if row is None or row.team_id != execution.team_id:
        session.rollback()
        raise InvalidInputError("/flow_id", "There is no such flow in this team.")
    if row.archived_at is not None:
        session.rollback()
        raise ConflictError("the flow is archived; it takes nothing over", archived=True)
    same = execution.flow_id == flow_id and execution.definition is None
    said = {"flow_id": str(flow_id), "revision": row.revision_number}
    reassign = Reassign(newest_definition(session, row), same)
    runs = (flow_id, row.revision_number)
    decision = _decide(session, execution, state, reassign, runs=runs)
    return carry_out(session, dispatcher, execution, decision, by, did="reassign", said=said)


def reassign_to_user(
    session: Session, dispatcher: Dispatcher, execution_id: UUID, user_id: UUID, by: By
) -> Answered:
    """Hand it to that member of the team, who is told at once, and commit.

    Raises as `reassign_to_flow` does. What was handed to that person already, and runs, is left as it is.
    """
    execution, state = lock_and_read(session, execution_id)
    recipient = {"type": "user", "user_id": str(user_id)}
    if find_strangers(session, execution.team_id, [recipient]):
        session.rollback()
        raise InvalidInputError("/user_id", NOT_A_MEMBER)
    name = session.scalars(select(User.name).where(User.id == user_id)).one()
    node = Node(str(uuid4()), f"handed to {name}"[:100], recipient, 0, HANDED_OVER)
    flow = Flow((node,), name=state.flow.name, ack_timeout_seconds=state.flow.ack_timeout_seconds)
    same = execution.definition is not None and state.flow.nodes[0].recipient == recipient
    runs = (execution.flow_id, execution.revision_number)
    decision = _decide(session, execution, state, Reassign(flow, same), runs=runs, own=True)
    said = {"user_id": str(user_id)}
    return carry_out(session, dispatcher, execution, decision, by, did="reassign", said=said)


def _decide(
    session: Session,
    execution: Execution,
    state: State,
    reassign: Reassign,
    *,
    runs: tuple[UUID, int],
    own: bool = False,
) -> Decision:
    """Decide, and if it is to be done let the execution's row say what it runs from the next step on."""
    decision = decide(state, reassign, database_now(session))
    refuse(session, execution, decision, "reassign")
    if decision.reason is Reason.REASSIGNED:
        transitions.run_flow(
            session,
            execution,
            *runs,
            first_step=state.leg.last_number + 1,
            definition=flow_to_json(reassign.flow) if own else None,
        )
    return decision


def _lock_flow(session: Session, flow_id: UUID) -> FlowRow | None:
    """As a start locks it, before the execution: archiving waits for us, or we for it."""
    return session.scalars(
        select(FlowRow)
        .where(FlowRow.id == flow_id)
        .with_for_update(read=True, key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
