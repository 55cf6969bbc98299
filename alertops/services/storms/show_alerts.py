"""The alerts of an execution, as people see them: a page of them, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.escalation.states import ExecutionStatus
from alertops.models import Execution, GroupedAlert
from alertops.services.pages import grouped_alerts_of


@dataclass(frozen=True)
class ShownAlert:
    """One alert. When it came last is known where alerts are listed; elsewhere the timeline has it."""

    summary: str
    severity: str
    dedup_key: str | None
    alert_count: int
    first_at: datetime
    last_at: datetime | None
    resolved_at: datetime | None


@dataclass(frozen=True)
class ShownAlerts:
    """A page, the place after it, and how many alerts there are in all, and are not over."""

    items: Sequence[ShownAlert]
    next: int | None
    alerts: int
    unresolved: int


def show_alerts(session: Session, execution: Execution, *, limit: int, after: int = 0) -> ShownAlerts:
    """Those of an execution that takes in others; of any other the one that opened it."""
    if execution.group_key is None:
        only = [] if after else [_only_alert(execution)]
        return ShownAlerts(only, None, 1, 0 if _is_resolved(execution) else 1)
    page = grouped_alerts_of(session, execution.id, limit=limit, after=after)
    unresolved = func.count().filter(GroupedAlert.resolved_at.is_(None))
    count = select(func.count(), unresolved).where(GroupedAlert.execution_id == execution.id)
    alerts, left = session.execute(count).one()
    shown = [_shown(alert, execution) for alert in page.items]
    return ShownAlerts(shown, page.next, alerts, 0 if _is_resolved(execution) else left)


def _shown(alert: GroupedAlert, execution: Execution) -> ShownAlert:
    """What was left when its execution was resolved, was resolved with it."""
    return ShownAlert(
        alert.summary,
        alert.severity,
        alert.dedup_key,
        alert.alert_count,
        alert.first_at,
        alert.last_at,
        alert.resolved_at or _resolved_at(execution),
    )


def _only_alert(execution: Execution) -> ShownAlert:
    return ShownAlert(
        execution.summary,
        execution.severity,
        execution.dedup_key,
        execution.alert_count,
        execution.created_at,
        None,
        _resolved_at(execution),
    )


def _resolved_at(execution: Execution) -> datetime | None:
    return execution.ended_at if _is_resolved(execution) else None


def _is_resolved(execution: Execution) -> bool:
    return execution.status == ExecutionStatus.RESOLVED
