"""A team declares maintenance, now or later, once or again and again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.errors import ConflictError, InvalidInputError
from alertops.models import Flow, MaintenanceWindow
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.snooze import MAX_SNOOZE
from alertops.services.teams.locked_team import locked_team

# All that are in force are looked at for each alert.
MAX_LIVE_WINDOWS = 100
# What is held is snoozed, and a snooze has an end that people still remember.
MAX_LENGTH = MAX_SNOOZE


def declare_maintenance(
    session: Session,
    asking: Asking,
    team_id: UUID,
    *,
    name: str,
    mode: str,
    flow_id: UUID | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    hours: dict[str, Any] | None = None,
) -> MaintenanceWindow:
    """Declare it and commit. Without `starts_at` it begins now.

    Raises `InvalidInputError` when the flow is not the team's, or the times make no window of 30 days at
    most; `ConflictError` when the team has as many windows as it may have.
    """
    with locked_team(session, asking, team_id):
        now = database_now(session)
        begins = starts_at or now
        _require_times(now, begins, ends_at, again=hours is not None)
        _require_flow(session, team_id, flow_id)
        _require_room(session, team_id)
        window = MaintenanceWindow(
            team_id=team_id,
            flow_id=flow_id,
            name=name,
            mode=mode,
            starts_at=begins,
            ends_at=ends_at,
            hours=hours,
            created_by=asking.actor.id,
        )
        session.add(window)
        session.flush()
        session.refresh(window)
        told = {"name": name, "mode": mode, "flow_id": str(flow_id) if flow_id else None}
        audit(session, team_id, asking.actor, "maintenance.declared", window.id, after=told)
    return window


def _require_times(now: datetime, begins: datetime, ends: datetime | None, *, again: bool) -> None:
    if ends is not None and ends <= max(now, begins):
        raise InvalidInputError("/ends_at", "Must be later than now, and than starts_at.")
    if begins < now - timedelta(minutes=5):
        raise InvalidInputError("/starts_at", "Must not be in the past; leave it out to begin now.")
    if not again and ends is not None and ends - begins > MAX_LENGTH:
        raise InvalidInputError("/ends_at", f"Must be within {MAX_LENGTH.days} days of its beginning.")


def _require_flow(session: Session, team_id: UUID, flow_id: UUID | None) -> None:
    here = select(Flow.id).where(Flow.id == flow_id, Flow.team_id == team_id)
    if flow_id is not None and session.scalar(here) is None:
        raise InvalidInputError("/flow_id", "There is no such flow in this team.")


def _require_room(session: Session, team_id: UUID) -> None:
    """Under the team's lock, so that of two who declare the last one at once, one does."""
    live = select(func.count()).where(
        MaintenanceWindow.team_id == team_id,
        MaintenanceWindow.ended_at.is_(None),
        or_(MaintenanceWindow.ends_at.is_(None), MaintenanceWindow.ends_at > func.clock_timestamp()),
    )
    if (session.scalar(live) or 0) >= MAX_LIVE_WINDOWS:
        raise ConflictError(f"The team has {MAX_LIVE_WINDOWS} windows: end one that is not needed first.")
