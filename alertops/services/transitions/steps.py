"""Transitions of steps.

::

    (nothing) ──▶ waiting ──due──▶ fired
                     └──────────▶ cancelled
"""

from __future__ import annotations

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Table, bindparam, func, insert, update
from sqlalchemy.orm import Session

from alertops.escalation.plan import PlannedStep
from alertops.escalation.states import StepStatus
from alertops.models import Step
from alertops.services.keys import StepKey
from alertops.services.parameters import of_step
from alertops.services.prepared import Prepared
from alertops.services.transitions.guarded import changed, now

_STEPS = cast(Table, Step.__table__)
_OF_EXECUTION = _STEPS.c.execution_id == bindparam("key_execution")
_IS = _OF_EXECUTION & (_STEPS.c.number == bindparam("key_step"))
_WAITING = _STEPS.c.status == StepStatus.WAITING
_DUE = _STEPS.c.due_at <= now()

_INSERT = insert(_STEPS)
_FIRE = Prepared(update(_STEPS).where(_IS, _WAITING, _DUE).values(status=StepStatus.FIRED, fired_at=now()))
_CANCEL = Prepared(update(_STEPS).where(_IS, _WAITING).values(status=StepStatus.CANCELLED))
_CANCEL_ALL = update(_STEPS).where(_OF_EXECUTION, _WAITING).values(status=StepStatus.CANCELLED)


def insert_step(
    session: Session, execution_id: UUID, planned: PlannedStep, revision_number: int | None
) -> None:
    """(nothing) -> waiting."""
    row = {
        "execution_id": execution_id,
        "number": planned.number,
        "round": planned.round,
        "node_index": planned.node_index,
        "node_id": planned.node_id,
        "node_name": planned.node_name,
        "revision_number": revision_number,
        "status": StepStatus.WAITING,
        "planned_at": planned.due_at,
        "due_at": planned.due_at,
    }
    session.execute(_INSERT, row)


def replan_step(
    session: Session, planned: PlannedStep, due_at: datetime, execution_id: UUID, revision_number: int | None
) -> bool:
    """waiting -> waiting for another node, or another time. The message under way finds what is here then."""
    statement = (
        update(_STEPS)
        .where(_IS, _WAITING)
        .values(
            round=planned.round,
            node_index=planned.node_index,
            node_id=planned.node_id,
            node_name=planned.node_name,
            revision_number=revision_number,
            planned_at=planned.due_at,
            due_at=due_at,
            dispatched_at=None,
            recovery_count=0,
        )
    )
    return changed(session, Prepared(statement), of_step(StepKey(execution_id, planned.number)))


def fire_step(session: Session, key: StepKey) -> bool:
    """waiting and due -> fired."""
    return changed(session, _FIRE, of_step(key))


def bring_step_forward(session: Session, key: StepKey, due_at: datetime) -> bool:
    """waiting -> waiting and due then, unless it is due before. The message under way finds it fired."""
    statement = (
        update(_STEPS)
        .where(_IS, _WAITING)
        .values(due_at=func.least(_STEPS.c.due_at, due_at), dispatched_at=None, recovery_count=0)
    )
    return changed(session, Prepared(statement), of_step(key))


def cancel_waiting_steps(session: Session, execution_id: UUID) -> None:
    """waiting -> cancelled."""
    session.execute(_CANCEL_ALL, {"key_execution": execution_id})


def cancel_step(session: Session, key: StepKey) -> bool:
    """waiting -> cancelled, this one."""
    return changed(session, _CANCEL, of_step(key))
