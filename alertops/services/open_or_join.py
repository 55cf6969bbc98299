"""The statements by which a batch of alerts opens executions or joins those that are open.

Each is over all of the batch, by arrays, and is made once: making one takes longer than running it. Rows are
taken in the order of the arrays, or of their ids, so that two batches that want the same do not deadlock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Select,
    String,
    Table,
    Update,
    Uuid,
    bindparam,
    column,
    exists,
    func,
    literal,
    literal_column,
    select,
    text,
    true,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from alertops.escalation.states import OPEN_FOR_DEDUPLICATION, ExecutionStatus
from alertops.models import Execution, Flow, MaintenanceWindow
from alertops.services.alerts import DedupKey, Group
from alertops.services.array_parameters import arrays, wanted_rows
from alertops.services.maintenance.in_force import perhaps_in_force

_EXECUTIONS, _FLOWS = (cast(Table, model.__table__) for model in (Execution, Flow))
_OPEN = ", ".join(f"'{status}'" for status in OPEN_FOR_DEDUPLICATION)


_MAINTENANCE = "perhaps_in_maintenance"


def _in_team(team_id: Any) -> Any:
    """In the given team, or in any when none is given."""
    return team_id == func.coalesce(bindparam("in_team", type_=Uuid()), team_id)


def _inserting() -> Any:
    wanted = wanted_rows(
        id=Uuid(),
        flow_id=Uuid(),
        summary=String(),
        severity=String(),
        dedup_key=String(),
        details=String(),
        alert_count=Integer(),
        integration_id=Uuid(),
        group_key=String(),
        group_window=Integer(),
    )
    values = {
        "team_id": _FLOWS.c.team_id,
        "revision_number": _FLOWS.c.revision_number,
        "status": literal(ExecutionStatus.RUNNING.value),
        "anchor_at": func.now(),
        **{given.name: given for given in wanted.c if given.name not in ("place", "group_window")},
        "group_until": func.now() + func.make_interval(0, 0, 0, 0, 0, 0, wanted.c.group_window),
        "details": sql_cast(wanted.c.details, JSONB),
    }
    in_use = (
        select(*values.values())
        .join(_FLOWS, _FLOWS.c.id == wanted.c.flow_id)
        .where(_FLOWS.c.archived_at.is_(None), _in_team(_FLOWS.c.team_id))
        .order_by(wanted.c.place)
        .with_for_update(read=True, key_share=True, of=_FLOWS)
    )
    inserting = (
        insert(_EXECUTIONS)
        .from_select(list(values), in_use)
        .on_conflict_do_nothing(
            index_elements=["flow_id", "dedup_key"],
            index_where=text(f"dedup_key IS NOT NULL AND status IN ({_OPEN})"),
        )
        .returning(*_EXECUTIONS.c, _in_maintenance())
    )
    return select(Execution, column(_MAINTENANCE, Boolean())).from_statement(inserting)


def _in_maintenance() -> Any:
    """Whether a maintenance window may be in force: hardly ever, and asked in the same breath."""
    # By its name: SQLAlchemy knows no correlation in RETURNING, and would join the table a second time.
    inserted: ColumnElement[UUID] = literal_column("executions.team_id", Uuid())
    mine = (MaintenanceWindow.team_id == inserted) & perhaps_in_force(func.now())
    return exists().where(mine).label(_MAINTENANCE)


def _locking() -> Select[Execution]:
    wanted = wanted_rows(flow_id=Uuid(), dedup_key=String())
    return (
        select(Execution)
        .join(wanted, true())
        .where(
            Execution.flow_id == wanted.c.flow_id,
            Execution.dedup_key == wanted.c.dedup_key,
            Execution.dedup_key.is_not(None),
            _in_team(Execution.team_id),
            Execution.status.in_(OPEN_FOR_DEDUPLICATION),
        )
        .order_by(Execution.id)
        .with_for_update(key_share=True, of=Execution)
        .execution_options(populate_existing=True)
    )


def _counting() -> Update:
    wanted = wanted_rows(id=Uuid(), more=Integer())
    return (
        update(_EXECUTIONS)
        .where(_EXECUTIONS.c.id == wanted.c.id)
        .values(alert_count=_EXECUTIONS.c.alert_count + wanted.c.more)
    )


_INSERT, _LOCK, _COUNT = _inserting(), _locking(), _counting()


@dataclass(frozen=True)
class Opened:
    """An execution that was inserted, and whether its team has a maintenance window that it may be in."""

    execution: Execution
    perhaps_in_maintenance: bool


def insert_executions(session: Session, groups: Sequence[Group], team_id: UUID | None) -> dict[UUID, Opened]:
    """Those that could be opened, by id: where none with the key is open, and the flow is in use.

    The flow's row is locked FOR KEY SHARE: an edit passes, and is frozen whole or not at all; archiving waits
    for us, or we for it (services/flows/lock_flow.py).
    """
    alerts = [group.alert for group in groups]
    values = arrays(
        id=(group.new_id for group in groups),
        flow_id=(group.flow_id for group in groups),
        summary=(alert.summary for alert in alerts),
        severity=(alert.severity for alert in alerts),
        dedup_key=(alert.dedup_key for alert in alerts),
        details=(json.dumps(alert.details) for alert in alerts),
        alert_count=(len(group.requests) for group in groups),
        integration_id=(group.requests[0].integration_id for group in groups),
        group_key=(group.storm.key if group.storm else None for group in groups),
        group_window=(group.storm.window_seconds if group.storm else None for group in groups),
    )
    rows = session.execute(_INSERT, {**values, "in_team": team_id})
    return {execution.id: Opened(execution, met) for execution, met in rows}


def lock_open(
    session: Session, keys: Sequence[DedupKey], team_id: UUID | None
) -> dict[DedupKey | None, Execution]:
    """The open executions with these keys, locked. One that was closed while we waited is left out."""
    if not keys:
        return {}
    flow_ids, dedup_keys = zip(*keys, strict=True)
    rows = session.scalars(_LOCK, {**arrays(flow_id=flow_ids, dedup_key=dedup_keys), "in_team": team_id})
    return {(row.flow_id, cast(str, row.dedup_key)): row for row in rows}


def count_alerts(session: Session, more: Mapping[Execution, int]) -> None:
    """Count so many more alerts on locked executions."""
    if not more:
        return
    session.execute(_COUNT, arrays(id=(execution.id for execution in more), more=more.values()))
    for execution, alerts in more.items():
        set_committed_value(execution, "alert_count", execution.alert_count + alerts)
