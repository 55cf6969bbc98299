"""Transitions of executions: running, acknowledged, snoozed, resolved, exhausted, cancelled."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, bindparam, null, update
from sqlalchemy.orm import Session

from alertops.escalation.plan import Course
from alertops.escalation.states import ExecutionStatus
from alertops.models import Execution
from alertops.services.prepared import Prepared
from alertops.services.transitions.guarded import changed, now

_EXECUTIONS = cast(Table, Execution.__table__)
_ENDS = (ExecutionStatus.RESOLVED, ExecutionStatus.CANCELLED, ExecutionStatus.EXHAUSTED)


def _moving(name: str, **values: Any) -> Prepared:
    columns = _EXECUTIONS.c
    return Prepared(
        name,
        update(_EXECUTIONS)
        .where(columns.id == bindparam("key_execution"), columns.status == bindparam("came_from"))
        .values(status=bindparam("to"), snoozed_until=bindparam("until"), **values),
    )


_END = _moving("end_execution", ended_at=now())
_ACKNOWLEDGE = _moving(
    "acknowledge_execution", ended_at=None, acknowledged_at=now(), acknowledged_by=bindparam("actor")
)
_OTHER_MOVE = _moving("move_execution", ended_at=None, acknowledged_at=None, acknowledged_by=None)


def move_execution(
    session: Session,
    execution_id: UUID,
    came_from: ExecutionStatus,
    to: ExecutionStatus,
    actor_id: UUID | None,
    *,
    snoozed_until: datetime | None = None,
) -> bool:
    """came_from -> to, with the times and the person that go with it.

    An execution says since when it is as it is; how it was before, its timeline says. That it was
    acknowledged stays said when it is over.
    """
    values = {"key_execution": execution_id, "came_from": came_from, "to": to, "until": snoozed_until}
    if to in _ENDS:
        return changed(session, _END, values)
    if to is ExecutionStatus.ACKNOWLEDGED:
        return changed(session, _ACKNOWLEDGE, values | {"actor": actor_id})
    return changed(session, _OTHER_MOVE, values)


def set_course(session: Session, execution_id: UUID, course: Course) -> None:
    """What due times are counted from; the caller holds the row's lock."""
    session.execute(
        update(_EXECUTIONS)
        .where(_EXECUTIONS.c.id == execution_id)
        .values(anchor_at=course.anchor_at, not_before_at=course.not_before)
    )


def run_flow(
    session: Session,
    execution: Execution,
    flow_id: UUID,
    revision_number: int,
    *,
    first_step: int,
    definition: dict[str, Any] | None = None,
) -> None:
    """What a locked execution runs from now on, and with which step that begins; reads the row again."""
    session.execute(
        update(_EXECUTIONS)
        .where(_EXECUTIONS.c.id == execution.id)
        .values(
            flow_id=flow_id,
            revision_number=revision_number,
            first_step=first_step,
            definition=null() if definition is None else definition,
        )
    )
    session.refresh(execution)
