"""Which execution takes an alert in: the one that has it already, or an open one of its group.

Whoever looks holds the locks of what they look for: in flows that group, all that are for the same group or
the same key take turns, so that of alerts that come at once one opens, and the others find it. The locks are
advisory, of the transaction, and taken in one order before anything else. A flow has few of them, which
groups and keys share, so that a batch of a thousand alerts takes no thousand locks.

An alert that is worse than the execution of its group is not taken in: it opens one of its own. Somebody who
sleeps through warnings is woken by what is critical, and what comes after is taken in by that one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Select, String, Uuid, bindparam, func, literal, select, true, union_all
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from alertops.escalation.states import OPEN_FOR_DEDUPLICATION
from alertops.intake.grouping import group_of, key_of
from alertops.models import Execution, GroupedAlert
from alertops.models.execution import SEVERITIES
from alertops.services.alerts import DedupKey, Group, Storm
from alertops.services.array_parameters import arrays, wanted_rows
from alertops.services.storms.groupings import Grouping

# The first half of advisory locks' names; that of recovery has one whole number.
NAMESPACE = 0x67727570
LOCKS_A_FLOW = 32
_BY_KEY, _BY_STORM = "key", "storm"


@dataclass(frozen=True)
class _Host:
    """An open execution that takes in what is not worse; or a group of the batch that will open one."""

    id: UUID
    severity: str

    def takes(self, alert_severity: str) -> bool:
        return _rank(self.severity) <= _rank(alert_severity)


def find_hosts(
    session: Session, groups: Sequence[Group], groupings: Mapping[UUID, Grouping]
) -> dict[UUID, UUID]:
    """Who takes in which of the groups, by their `new_id`: an open execution, or the group with that one.

    Those of flows that group, and are not named, are to open. Takes the locks, and says of each group what
    its storm is.
    """
    mine = [group for group in groups if group.flow_id in groupings]
    if not mine:
        return {}
    for group in mine:
        group.storm = _storm_of(group, groupings[group.flow_id])
    session.execute(_LOCK, {"names": sorted({name for group in mine for name in _locks_of(group)})})
    by_key, by_storm = _look(session, mine)
    return dict(_assigned(mine, by_key, by_storm))


def lock_hosts(session: Session, ids: Sequence[UUID]) -> dict[UUID, Execution]:
    """Those that are still open, locked in the order of their ids, as they are now."""
    if not ids:
        return {}
    return {row.id: row for row in session.scalars(_LOCK_ROWS, {"ids": list(ids)})}


def _storm_of(group: Group, grouping: Grouping) -> Storm | None:
    says = group_of(grouping.fields, group.alert)
    return None if says is None else Storm(key_of(says), says, grouping.window_seconds)


def _locks_of(group: Group) -> list[int]:
    parts = [group.storm.key] if group.storm else []
    parts += [f"key {group.dedup_key}"] if group.dedup_key is not None else []
    return [lock_name(group.flow_id, part) for part in parts]


def lock_name(flow_id: UUID, part: str) -> int:
    """The second half of the name of the lock of a group's or an alert's key, in its flow."""
    bucket = hashlib.sha256(part.encode()).digest()[0] % LOCKS_A_FLOW
    digest = hashlib.sha256(flow_id.bytes + bytes([bucket])).digest()
    return int.from_bytes(digest[:4], signed=True)


def _assigned(
    groups: Sequence[Group],
    by_key: Mapping[DedupKey, UUID],
    by_storm: Mapping[tuple[UUID, str], list[_Host]],
) -> list[tuple[UUID, UUID]]:
    """The worst first, so that whoever opens takes in the rest of the batch."""
    hosts = {storm: [*found] for storm, found in by_storm.items()}
    assigned: list[tuple[UUID, UUID]] = []
    for group in sorted(groups, key=lambda group: _rank(group.alert.severity)):
        if group.key is not None and group.key in by_key:
            assigned.append((group.new_id, by_key[group.key]))
        elif group.storm is not None:
            known = hosts.setdefault((group.flow_id, group.storm.key), [])
            host = next((each for each in known if each.takes(group.alert.severity)), None)
            if host is None:
                known.append(_Host(group.new_id, group.alert.severity))
            else:
                assigned.append((group.new_id, host.id))
    return assigned


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)


_OPEN = Execution.status.in_(OPEN_FOR_DEDUPLICATION)
_LOCK = select(
    func.pg_advisory_xact_lock(
        NAMESPACE, func.unnest(sql_cast(bindparam("names"), ARRAY(Integer))).column_valued("name")
    )
)
_LOCK_ROWS = (
    select(Execution)
    .where(Execution.id == func.any(sql_cast(bindparam("ids"), ARRAY(Uuid()))), _OPEN)
    .order_by(Execution.id)
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)


def _looking() -> Select[Any]:
    """All that is open: by the alerts that are listed, by the ones that opened, and by groups."""
    asked = wanted_rows(flow_id=Uuid(), dedup_key=String(), storm=String())
    told = (asked.c.flow_id, Execution.id, Execution.severity, Execution.created_at)
    same_flow = Execution.flow_id == asked.c.flow_id
    listed = (
        select(literal(_BY_KEY).label("by"), asked.c.dedup_key.label("key"), *told)
        .join(GroupedAlert, GroupedAlert.dedup_key == asked.c.dedup_key)
        .join(Execution, Execution.id == GroupedAlert.execution_id)
        .where(GroupedAlert.flow_id == asked.c.flow_id, GroupedAlert.dedup_key.is_not(None), _OPEN)
        .where(GroupedAlert.resolved_at.is_(None))
    )
    opened = (
        select(literal(_BY_KEY), asked.c.dedup_key, *told)
        .join(Execution, true())
        .where(same_flow, Execution.dedup_key == asked.c.dedup_key, Execution.dedup_key.is_not(None), _OPEN)
    )
    grouped = (
        select(literal(_BY_STORM), asked.c.storm, *told)
        .join(Execution, true())
        .where(same_flow, Execution.group_key == asked.c.storm, Execution.group_key.is_not(None), _OPEN)
        .where(Execution.group_until > func.clock_timestamp())
    )
    found = union_all(listed, opened, grouped).subquery("found")
    return select(found).order_by(found.c.created_at.desc())


_LOOK = _looking()


def _look(
    session: Session, groups: Sequence[Group]
) -> tuple[dict[DedupKey, UUID], dict[tuple[UUID, str], list[_Host]]]:
    """The executions that have the alerts' keys, and those of their groups; the newest first."""
    values = arrays(
        flow_id=(group.flow_id for group in groups),
        dedup_key=(group.dedup_key for group in groups),
        storm=(group.storm.key if group.storm else None for group in groups),
    )
    by_key: dict[DedupKey, UUID] = {}
    by_storm: dict[tuple[UUID, str], list[_Host]] = defaultdict(list)
    for row in session.execute(_LOOK, values):
        if row.by == _BY_KEY:
            by_key.setdefault((row.flow_id, row.key), row.id)
        elif (host := _Host(row.id, row.severity)) not in by_storm[row.flow_id, row.key]:
            by_storm[row.flow_id, row.key].append(host)
    return by_key, by_storm
