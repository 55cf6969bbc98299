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

_COLUMNS = (
    "execution_id",
    "number",
    "round",
    "node_index",
    "node_id",
    "node_name",
    "revision_number",
    "status",
    "planned_at",
    "due_at",
)

_INSERT = Prepared("insert_step", insert(_STEPS), *_COLUMNS)
_FIRE = Prepared(
    "fire_step", update(_STEPS).where(_IS, _WAITING, _DUE).values(status=StepStatus.FIRED, fired_at=now())
)
_BRING_FORWARD = Prepared(
    "bring_step_forward",
    update(_STEPS)
    .where(_IS, _WAITING)
    .values(
        due_at=func.least(_STEPS.c.due_at, bindparam("earlier", type_=_STEPS.c.due_at.type)),
        dispatched_at=None,
        recovery_count=0,
    ),
)
_REPLANNED = ("round", "node_index", "node_id", "node_name", "revision_number", "planned_at", "due_at")
_REPLAN = Prepared(
    "replan_step",
    update(_STEPS)
    .where(_IS, _WAITING)
    .values(
        {name: bindparam(f"new_{name}", type_=_STEPS.c[name].type) for name in _REPLANNED}
        | {"dispatched_at": None, "recovery_count": 0}
    ),
)
_CANCEL = Prepared("cancel_step", update(_STEPS).where(_IS, _WAITING).values(status=StepStatus.CANCELLED))
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
    _INSERT.run(session, row)


def replan_step(
    session: Session, planned: PlannedStep, due_at: datetime, execution_id: UUID, revision_number: int | None
) -> bool:
    """waiting -> waiting for another node, or another time. The message under way finds what is here then."""
    values = {
        "new_round": planned.round,
        "new_node_index": planned.node_index,
        "new_node_id": planned.node_id,
        "new_node_name": planned.node_name,
        "new_revision_number": revision_number,
        "new_planned_at": planned.due_at,
        "new_due_at": due_at,
    }
    return changed(session, _REPLAN, of_step(StepKey(execution_id, planned.number)) | values)


def fire_step(session: Session, key: StepKey) -> bool:
    """waiting and due -> fired."""
    return changed(session, _FIRE, of_step(key))


def bring_step_forward(session: Session, key: StepKey, due_at: datetime) -> bool:
    """waiting -> waiting and due then, unless it is due before. The message under way finds it fired."""
    return changed(session, _BRING_FORWARD, of_step(key) | {"earlier": due_at})


def cancel_waiting_steps(session: Session, execution_id: UUID) -> None:
    """waiting -> cancelled."""
    session.execute(_CANCEL_ALL, {"key_execution": execution_id})


def cancel_step(session: Session, key: StepKey) -> bool:
    """waiting -> cancelled, this one."""
    return changed(session, _CANCEL, of_step(key))
