"""What the end of an alert is for: executions that are not over, by the key that its monitoring system gave.

They are those that the integration opened, wherever it did: its rules, or what the event says, may be others
by now. And those that somebody else opened with the same key, in a flow that the integration leads to: its
own alerts have joined them. Where alerts are grouped, those that have taken it in, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from alertops.escalation.states import OPEN_FOR_DEDUPLICATION, TERMINAL, ExecutionStatus
from alertops.models import Execution, GroupedAlert
from alertops.services.integrations.authenticate_integration import WayIn

_UNRESOLVED = [status for status in ExecutionStatus if status not in TERMINAL]


def lock_unresolved(session: Session, way_in: WayIn, keys: Collection[str]) -> dict[str, list[Execution]]:
    """The executions of each key, locked in the order of their ids, as they are now; newest last."""
    keys_of = _find(session, way_in, keys)
    rows = session.scalars(
        select(Execution)
        .where(Execution.id.in_(keys_of))
        .order_by(Execution.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    found: dict[str, list[Execution]] = defaultdict(list)
    for execution in sorted(rows, key=lambda row: row.created_at):
        # What ended while we waited for its lock is over.
        if execution.status in _UNRESOLVED:
            for key in keys_of[execution.id]:
                found[key].append(execution)
    return found


def to_acknowledge(executions: Sequence[Execution]) -> list[Execution]:
    """Of each flow the one that is open; or, if none is, the newest that nobody answered.

    Two of a flow with the same key cannot both be open.
    """
    chosen: dict[UUID, Execution] = {}
    for execution in executions:
        before = chosen.get(execution.flow_id)
        if before is None or before.status not in OPEN_FOR_DEDUPLICATION:
            chosen[execution.flow_id] = execution
    return [*chosen.values()]


def _find(session: Session, way_in: WayIn, keys: Collection[str]) -> dict[UUID, set[str]]:
    """The executions, by their ids, and which of the keys each is for."""
    flows = {way_in.flow_id, *(rule.flow_id for rule in way_in.rules)}
    alone = Execution.group_key.is_(None)
    own = select(Execution.id, Execution.dedup_key).where(
        Execution.integration_id == way_in.monitor.id,
        alone,
        Execution.dedup_key.in_(keys),
        Execution.status.in_(_UNRESOLVED),
    )
    joined = select(Execution.id, Execution.dedup_key).where(
        Execution.flow_id.in_(flows),
        alone,
        Execution.dedup_key.in_(keys),
        Execution.status.in_(OPEN_FOR_DEDUPLICATION),
    )
    # Alerts of one that takes in others are listed, also the one that opened it.
    taken_in = select(GroupedAlert.execution_id, GroupedAlert.dedup_key).where(
        or_(GroupedAlert.flow_id.in_(flows), GroupedAlert.integration_id == way_in.monitor.id),
        GroupedAlert.dedup_key.in_(keys),
        GroupedAlert.dedup_key.is_not(None),
        GroupedAlert.resolved_at.is_(None),
    )
    found: dict[UUID, set[str]] = defaultdict(set)
    for query in (own, joined, taken_in):
        for execution_id, key in session.execute(query):
            found[execution_id].add(str(key))
    return found
