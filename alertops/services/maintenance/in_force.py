"""Which maintenance window an alert meets, and until when.

A window that drops comes before those that hold; of those, the one that is over last. Windows that follow on
each other hold to the end of the last one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from alertops.escalation.hours import end_of, hours_from_json
from alertops.models import MaintenanceWindow
from alertops.models.maintenance import MaintenanceMode
from alertops.services.maintenance.declare import MAX_LENGTH, MAX_LIVE_WINDOWS


@dataclass(frozen=True)
class Maintenance:
    """The window that is in force for a flow, and when it is over."""

    window: MaintenanceWindow
    until: datetime


def perhaps_in_force(at: ColumnElement[datetime] | datetime) -> ColumnElement[bool]:
    """The condition that a window may be in force then; of those with hours, the hours say whether it is."""
    return _not_over(at) & (MaintenanceWindow.starts_at <= at)


def _not_over(at: ColumnElement[datetime] | datetime) -> ColumnElement[bool]:
    ends = MaintenanceWindow.ends_at
    return MaintenanceWindow.ended_at.is_(None) & or_(ends.is_(None), ends > at)


def maintenance_of(
    session: Session, team_id: UUID, flow_ids: Collection[UUID], at: datetime
) -> dict[UUID, Maintenance]:
    """For those of the team's flows that are in maintenance at that time, the window that counts."""
    windows = session.scalars(
        select(MaintenanceWindow)
        .where(MaintenanceWindow.team_id == team_id, _not_over(at))
        .order_by(MaintenanceWindow.created_at, MaintenanceWindow.id)
    ).all()
    found = ((id_, _in_force([w for w in windows if w.flow_id in (None, id_)], at)) for id_ in flow_ids)
    return {flow_id: maintenance for flow_id, maintenance in found if maintenance is not None}


def _in_force(windows: Sequence[MaintenanceWindow], at: datetime) -> Maintenance | None:
    met = [(window, end) for window in windows if (end := _end_of(window, at)) is not None]
    dropping = [window for window, _ in met if window.mode == MaintenanceMode.DROP]
    if dropping:
        return Maintenance(dropping[0], at)
    if not met:
        return None
    window, _ = max(met, key=lambda each: each[1])
    holding = [each for each in windows if each.mode == MaintenanceMode.HOLD]
    return Maintenance(window, _end_of_all(holding, at))


def _end_of_all(windows: Sequence[MaintenanceWindow], at: datetime) -> datetime:
    """When none of them is in force any more, within the longest time that anything is held."""
    until = at
    for _ in range(MAX_LIVE_WINDOWS):
        ends = [end for window in windows if (end := _end_of(window, until)) is not None]
        if not ends or until >= at + MAX_LENGTH:
            break
        until = max(ends)
    return min(until, at + MAX_LENGTH)


def _end_of(window: MaintenanceWindow, at: datetime) -> datetime | None:
    """When the window ends that is in force at that time; None when it is not."""
    if at < window.starts_at or (window.ends_at is not None and at >= window.ends_at):
        return None
    if window.hours is None:
        return window.ends_at
    end = end_of(hours_from_json(window.hours), at)
    return end if end is None or window.ends_at is None else min(end, window.ends_at)
