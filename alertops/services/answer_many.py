"""Acknowledge or resolve many executions: what one answer does, for each that a filter finds.

Each is answered in a transaction of its own, as if somebody had answered them one after the other: no lock is
held longer than for one, and what has been answered stays so when the rest fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from alertops.errors import ConflictError, InvalidInputError, NotFoundError
from alertops.escalation.events import Acknowledge, Resolve
from alertops.escalation.operations import POSSIBLE
from alertops.escalation.states import ExecutionStatus
from alertops.models import Execution, Flow
from alertops.services.dispatch import Dispatcher
from alertops.services.operate import By, operate

MAX_AT_ONCE = 100

_DONE = {Acknowledge: ExecutionStatus.ACKNOWLEDGED, Resolve: ExecutionStatus.RESOLVED}


@dataclass(frozen=True)
class Filter:
    """Which executions of a team: those of all that is given, which is at least one thing."""

    ids: Sequence[UUID] | None = None
    flow_id: UUID | None = None
    status: str | None = None
    severity: str | None = None
    dedup_key: str | None = None
    created_before: datetime | None = None

    def applied_to(self, query: Select[Any]) -> Select[Any]:
        """The query for no others than these."""
        if self.ids is not None:
            query = query.where(Execution.id.in_(self.ids))
        if self.created_before is not None:
            query = query.where(Execution.created_at < self.created_before)
        for name in ("flow_id", "status", "severity", "dedup_key"):
            if getattr(self, name) is not None:
                query = query.where(getattr(Execution, name) == getattr(self, name))
        return query


@dataclass
class ManyAnswered:
    """Those that this answer changed, those that others were faster with, and whether there are more."""

    changed: list[UUID] = field(default_factory=list)
    unchanged: list[UUID] = field(default_factory=list)
    more: bool = False


def acknowledge_many(
    session: Session, dispatcher: Dispatcher, team_id: UUID, which: Filter, by: By
) -> ManyAnswered:
    """Acknowledge those that can be and are not, the oldest first, `MAX_AT_ONCE` at most.

    Raises `InvalidInputError` when the filter names an execution or a flow that the team does not have.
    """
    return _answer(session, dispatcher, team_id, which, by, operation=Acknowledge())


def resolve_many(
    session: Session, dispatcher: Dispatcher, team_id: UUID, which: Filter, by: By
) -> ManyAnswered:
    """Resolve those that can be and are not, as `acknowledge_many` does."""
    return _answer(session, dispatcher, team_id, which, by, operation=Resolve())


def _answer(
    session: Session,
    dispatcher: Dispatcher,
    team_id: UUID,
    which: Filter,
    by: By,
    *,
    operation: Acknowledge | Resolve,
) -> ManyAnswered:
    _require_named(session, team_id, which)
    open_states = POSSIBLE[type(operation)] - {_DONE[type(operation)]}
    query = select(Execution.id).where(Execution.team_id == team_id, Execution.status.in_(open_states))
    oldest_first = query.order_by(Execution.created_at, Execution.id).limit(MAX_AT_ONCE + 1)
    found = list(session.scalars(which.applied_to(oldest_first)))
    session.rollback()
    answered = ManyAnswered(more=len(found) > MAX_AT_ONCE)
    for execution_id in found[:MAX_AT_ONCE]:
        changed = _answer_one(session, dispatcher, execution_id, operation, by)
        (answered.changed if changed else answered.unchanged).append(execution_id)
    return answered


def _require_named(session: Session, team_id: UUID, which: Filter) -> None:
    """Whoever names what is not there is told so, rather than that nothing had to be done."""
    ids = which.ids or ()
    here = select(Execution.id).where(Execution.team_id == team_id, Execution.id.in_(ids))
    known = set(session.scalars(here)) if ids else set()
    faults = [
        (f"/ids/{place}", "There is no such execution in this team.")
        for place, id_ in enumerate(ids)
        if id_ not in known
    ]
    flow = select(Flow.id).where(Flow.team_id == team_id, Flow.id == which.flow_id)
    if which.flow_id is not None and session.scalar(flow) is None:
        faults.append(("/flow_id", "There is no such flow in this team."))
    if faults:
        session.rollback()
        raise InvalidInputError(*faults[0], *faults[1:])


def _answer_one(
    session: Session, dispatcher: Dispatcher, execution_id: UUID, operation: Acknowledge | Resolve, by: By
) -> bool:
    """False when its state does not allow it any more, or it is so already."""
    try:
        return operate(session, dispatcher, execution_id, operation, by).changed
    except (ConflictError, NotFoundError):
        return False
