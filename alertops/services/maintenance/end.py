"""A maintenance window is over before its time, and what it held comes back now."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.orm import Session

from alertops.errors import ConflictError, NotFoundError
from alertops.escalation.events import Unsnooze
from alertops.escalation.states import ExecutionStatus
from alertops.models import Execution, MaintenanceWindow, TimelineEntry
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.dispatch import Dispatcher
from alertops.services.operate import By, operate
from alertops.services.teams.locked_team import locked_team

# Each comes back in a transaction of its own. What is left comes back by itself, when its snooze is over.
MAX_AT_ONCE = 500


@dataclass(frozen=True)
class Ended:
    """The window, and how many executions it had held and were let go."""

    window: MaintenanceWindow
    released: int


def end_maintenance(
    session: Session, dispatcher: Dispatcher, asking: Asking, team_id: UUID, window_id: UUID
) -> Ended:
    """End the window, commit, and let go what it holds. Safe to repeat: what is still held is let go then.

    Raises `NotFoundError` when the team has no such window.
    """
    with locked_team(session, asking, team_id):
        window = session.get(MaintenanceWindow, window_id, populate_existing=True)
        if window is None or window.team_id != team_id:
            raise NotFoundError("There is no such maintenance window in this team.")
        if window.ended_at is None:
            window.ended_at = func.clock_timestamp()
            window.ended_by = asking.actor.id
            told = {"name": window.name, "mode": window.mode}
            audit(session, team_id, asking.actor, "maintenance.ended", window.id, before=told)
    released = _release(session, dispatcher, window, By(asking.actor.id, note=f"{window.name} is over"))
    session.refresh(window)
    return Ended(window, released)


def _release(session: Session, dispatcher: Dispatcher, window: MaintenanceWindow, by: By) -> int:
    held = session.scalars(
        select(Execution.id)
        .where(
            Execution.team_id == window.team_id,
            Execution.status == ExecutionStatus.SNOOZED,
            _last_snoozed_by() == str(window.id),
        )
        .order_by(Execution.created_at)
        .limit(MAX_AT_ONCE)
    ).all()
    session.rollback()
    return sum(_unsnooze(session, dispatcher, execution_id, by) for execution_id in held)


def _last_snoozed_by() -> ScalarSelect[str]:
    """What its timeline names as the window that it was snoozed by last; somebody may have done so since."""
    return (
        select(TimelineEntry.detail["maintenance_window"].astext)
        .where(
            TimelineEntry.execution_id == Execution.id, TimelineEntry.event == ExecutionStatus.SNOOZED.value
        )
        .order_by(TimelineEntry.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _unsnooze(session: Session, dispatcher: Dispatcher, execution_id: UUID, by: By) -> bool:
    """False when it was answered, or woken, meanwhile."""
    try:
        return operate(session, dispatcher, execution_id, Unsnooze(), by).changed
    except (ConflictError, NotFoundError):
        return False
