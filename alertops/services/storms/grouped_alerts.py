"""The alerts of executions that take others in: listed once each, repeated, and resolved one by one.

::

    (nothing) ──▶ unresolved ──its monitoring system says that it is over──▶ resolved
                      ▲                                                        │
                      └──────────────── it comes again ────────────────────────┘

The execution is over when all of its alerts are. One without a key cannot be ended by a monitoring system,
and neither can its execution. Whoever writes here holds the execution's lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Integer, String, Table, Uuid, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.models import Execution, GroupedAlert
from alertops.services.alerts import Group
from alertops.services.array_parameters import arrays, wanted_rows

_ALERTS = cast(Table, GroupedAlert.__table__)

AlertKey = tuple[UUID, str]
"""An execution's id, and the key of one of its alerts."""


def list_alerts(session: Session, found: Iterable[tuple[Execution, Group]]) -> None:
    """List the alerts, or count them again, of those of the executions that take in others."""
    taken = [(execution.id, group) for execution, group in found if execution.group_key is not None]
    if not taken:
        return
    groups = [group for _, group in taken]
    values = arrays(
        execution_id=(id_ for id_, _ in taken),
        flow_id=(group.flow_id for group in groups),
        integration_id=(group.requests[0].integration_id for group in groups),
        dedup_key=(group.dedup_key for group in groups),
        summary=(group.alert.summary for group in groups),
        severity=(group.alert.severity for group in groups),
        alert_count=(len(group.requests) for group in groups),
    )
    session.execute(_LIST, values)


def end_alerts(session: Session, ended: Sequence[tuple[Execution, str]]) -> list[UUID]:
    """The alerts with these keys are over; which of their executions, whose rows are locked, are over so."""
    alone = {execution.id for execution, _ in ended if execution.group_key is None}
    listed = [(execution.id, key) for execution, key in ended if execution.group_key is not None]
    return [*alone, *_resolve(session, listed)]


def _resolve(session: Session, ended: Sequence[AlertKey]) -> list[UUID]:
    """unresolved -> resolved; the executions among them of which no alert is left."""
    if not ended:
        return []
    ids, keys = zip(*ended, strict=True)
    session.execute(_RESOLVE, arrays(execution_id=ids, dedup_key=keys))
    left = exists().where(GroupedAlert.execution_id == Execution.id, GroupedAlert.resolved_at.is_(None))
    return list(session.scalars(select(Execution.id).where(Execution.id.in_({*ids}), ~left)))


def _listing() -> Any:
    asked = wanted_rows(
        execution_id=Uuid(),
        flow_id=Uuid(),
        integration_id=Uuid(),
        dedup_key=String(),
        summary=String(),
        severity=String(),
        alert_count=Integer(),
    )
    columns = [given for given in asked.c if given.name != "place"]
    new = insert(_ALERTS).from_select(
        [given.name for given in columns], select(*columns).order_by(asked.c.place)
    )
    return new.on_conflict_do_update(
        index_elements=["execution_id", "dedup_key"],
        index_where=_ALERTS.c.dedup_key.is_not(None),
        set_={
            "alert_count": _ALERTS.c.alert_count + new.excluded.alert_count,
            "last_at": func.clock_timestamp(),
            "resolved_at": None,
        },
    )


def _resolving() -> Any:
    asked = wanted_rows(execution_id=Uuid(), dedup_key=String())
    return (
        update(_ALERTS)
        .where(
            _ALERTS.c.execution_id == asked.c.execution_id,
            _ALERTS.c.dedup_key == asked.c.dedup_key,
            _ALERTS.c.resolved_at.is_(None),
        )
        .values(resolved_at=func.clock_timestamp())
    )


_LIST, _RESOLVE = _listing(), _resolving()
