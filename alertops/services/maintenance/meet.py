"""An alert meets a maintenance window: its execution is snoozed until that is over, or cancelled at once.

It happens in the transaction that begins the execution, so that nobody is told in between, and by the machine
that decides what people ask for: whatever can be done about a snoozed execution can be done about this one.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from alertops.escalation.events import Cancel, Snooze
from alertops.escalation.machine import decide
from alertops.models import Execution
from alertops.models.maintenance import MaintenanceMode
from alertops.services.apply import apply
from alertops.services.dispatch import StepWakeUp, WakeUp
from alertops.services.lock import planning_state, read_steps
from alertops.services.maintenance.in_force import Maintenance, maintenance_of


def meet_maintenance(
    session: Session, begun: Sequence[Execution], wake_ups: Sequence[WakeUp]
) -> list[WakeUp]:
    """Hold or drop those of a team's new executions whose flow is in maintenance.

    They were inserted in this transaction and have not been committed: nobody else knows of them. Takes what
    was to wake all that begins, and returns what is to wake it now.
    """
    if not begun:
        return list(wake_ups)
    flow_ids, at = {execution.flow_id for execution in begun}, begun[0].anchor_at
    met = maintenance_of(session, begun[0].team_id, flow_ids, at)
    silenced = [execution for execution in begun if execution.flow_id in met]
    instead = [
        wake_up for execution in silenced for wake_up in _silence(session, execution, met[execution.flow_id])
    ]
    ids = {execution.id for execution in silenced}
    kept = [w for w in wake_ups if not (isinstance(w, StepWakeUp) and w.key.execution_id in ids)]
    return [*kept, *instead]


def _silence(session: Session, execution: Execution, maintenance: Maintenance) -> list[WakeUp]:
    """running -> snoozed | cancelled"""
    window = maintenance.window
    dropped = window.mode == MaintenanceMode.DROP
    state = planning_state(session, execution, read_steps(session, execution))
    decision = decide(state, Cancel() if dropped else Snooze(maintenance.until), execution.anchor_at)
    said = {"maintenance_window": str(window.id), "maintenance": window.name}
    applied = apply(session, execution, decision, said=said)
    session.refresh(execution)
    return applied.wake_ups
