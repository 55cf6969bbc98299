"""Escalate: the step that comes next does not wait for its time, and those after it count from now."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.errors import ConflictError
from alertops.escalation.decision import Reason
from alertops.escalation.events import Escalate
from alertops.escalation.machine import decide
from alertops.escalation.operations import POSSIBLE, next_step
from alertops.services.dispatch import Dispatcher
from alertops.services.operate import Answered, By, carry_out, lock_and_read


def escalate(session: Session, dispatcher: Dispatcher, execution_id: UUID, step: int, by: By) -> Answered:
    """Fire this step now, which must be the one that comes next, and commit; see `operate` for the errors.

    The step is named so that whoever asks twice, or at the same time as somebody else, skips nobody: a step
    that has fired already is not fired again.
    """
    execution, state = lock_and_read(session, execution_id)
    decision = decide(state, Escalate(step), database_now(session))
    if decision.reason is Reason.REFUSED and state.status in POSSIBLE[Escalate]:
        coming = next_step(state)
        session.rollback()
        which = "every node has fired" if coming is None else f"step {coming} comes next, not {step}"
        raise ConflictError(f"{which}; look at the execution again", status=state.status.value, step=coming)
    said = {"step": step}
    return carry_out(session, dispatcher, execution, decision, by, did="escalate", said=said)
