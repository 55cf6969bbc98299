"""Alerts become executions: committed, with their first steps waiting, before anybody says 2xx.

All of a batch or none, in one transaction, in statements over all of them. Alerts with the same dedup key
race for a unique partial index; one opens the execution, the others join it, and those of one batch race no
less than those of two. The broker is told after the commit; when it is down, the rows wait for recovery.

What two batches both want is taken in one order, so that neither waits for the other in turn: what is
inserted, by flow and key; then the rows of open executions that are joined, by id. A batch under which
something has changed lets go of everything before it begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops import tracing
from alertops.db import Moment
from alertops.errors import ConflictError, NotFoundError, ThrottledError
from alertops.models import Execution, Flow
from alertops.services.alert_limit import AlertLimit
from alertops.services.alerts import Group, StartRequest, grouped
from alertops.services.begin_executions import Entry, commit, insert_beginnings, started, tell_all
from alertops.services.dispatch import Dispatcher, WakeUp
from alertops.services.maintenance.meet import meet_maintenance
from alertops.services.open_or_join import count_alerts, insert_executions, lock_open
from alertops.services.storms.find_hosts import find_hosts, lock_hosts
from alertops.services.storms.grouped_alerts import list_alerts
from alertops.services.storms.groupings import known_groupings, were_known
from alertops.services.storms.storm_entries import storm_entries

# Between "an execution with this key is open" and our lock on it, it may be answered and closed, and
# then another alert may open the next. Losing that race this often in a row means something is wrong.
MAX_TRIES = 5


@dataclass(frozen=True)
class Started:
    """The execution that the alert opened, or joined (`created` is false)."""

    execution: Execution
    created: bool


@dataclass(frozen=True)
class Batch:
    """What alerts did, and is not committed yet: what to answer each, and what to wake after the commit."""

    started: list[Started]
    opened: list[Execution]
    joined: list[Execution]
    wake_ups: list[WakeUp]
    moment: Moment


@dataclass(frozen=True)
class _Found:
    """What became of a group: the execution that it opened, or that it joined."""

    group: Group
    execution: Execution
    opened: bool
    perhaps_in_maintenance: bool = False

    @property
    def joined(self) -> list[StartRequest]:
        """Those of its alerts that opened nothing: one opens, the others join."""
        return self.group.requests[1:] if self.opened else self.group.requests

    def started(self) -> Iterator[tuple[int, Started]]:
        """What to answer each of its alerts, by its place in the batch."""
        for number, place in enumerate(self.group.places):
            yield place, Started(self.execution, created=self.opened and number == 0)

    def entries(self) -> Iterator[Entry]:
        """What the timeline is to say of its alerts: where many are taken in, of the one that opened."""
        if self.opened:
            first, storm = self.group.requests[0], self.group.storm
            says = {"group": dict(storm.says)} if storm else {}
            yield started(self.execution, first.actor_id, **says, **first.said)
        if self.execution.group_key is None:
            for request in self.joined:
                said = {"summary": request.alert.summary, **request.said}
                yield Entry(self.execution.id, "alert_repeated", request.actor_id, said)


def start_executions(
    session: Session,
    dispatcher: Dispatcher,
    requests: Sequence[StartRequest],
    actor_id: UUID | None,
    *,
    team_id: UUID | None = None,
    limit: AlertLimit | None = None,
) -> list[Started]:
    """Open an execution for each alert, or join the open one with its dedup key; commit all, and dispatch.

    The flows must be of one team, and ones that the actor may start; with `team_id` they are looked for in
    that team alone. Raises `NotFoundError` or `ConflictError`, and starts nothing, when one of them is gone
    or archived; `ThrottledError` when the team is beyond its limit, and one of the alerts would open one.
    """
    by_actor = [replace(request, actor_id=request.actor_id or actor_id) for request in requests]
    batch = open_executions(session, by_actor, team_id=team_id, limit=limit)
    dispatch_opened(session, dispatcher, batch, limit)
    return batch.started


def dispatch_opened(
    session: Session, dispatcher: Dispatcher, batch: Batch, limit: AlertLimit | None = None
) -> None:
    """Wake whom a committed batch calls for, in the lane that its team has a share of; count it."""
    if not batch.opened:
        return
    team_id, opened = batch.opened[0].team_id, len(batch.opened)
    dispatcher.within_share(team_id, opened).dispatch(session, batch.wake_ups, moment=batch.moment)
    if limit is not None:
        limit.count(session, team_id, opened)


def open_executions(
    session: Session,
    requests: Sequence[StartRequest],
    *,
    team_id: UUID | None = None,
    limit: AlertLimit | None = None,
) -> Batch:
    """`start_executions` without `dispatch_opened`, which is the caller's to do after it."""
    since = tracing.clock()
    for _ in range(MAX_TRIES):
        batch = open_or_join_all(session, requests, team_id=team_id, limit=limit)
        if batch is not None:
            commit(session, opened=batch.opened, joined=batch.joined, since=since)
            return batch
        session.rollback()
        require_in_use(session, {request.flow_id for request in requests}, team_id)
    raise ConflictError("executions with this dedup_key open and close faster than this alert can join one")


def open_or_join_all(
    session: Session,
    requests: Sequence[StartRequest],
    *,
    team_id: UUID | None = None,
    limit: AlertLimit | None = None,
) -> Batch | None:
    """Open an execution for each alert, or join the open one, and do not commit.

    None when one could not be: an execution ended meanwhile, or a flow is gone or archived. Then the caller
    rolls back, and begins anew.
    """
    groups = grouped(requests)
    wait = limit.wait(team_id) if limit is not None and team_id is not None else 0
    found = _open_or_join(session, groups, team_id, may_open=not wait)
    if wait and len(found) < len(groups):
        session.rollback()
        raise ThrottledError(wait, "alerts")
    if len(found) < len(groups):
        return None
    opened = [one.execution for one in found if one.opened]
    joined = _joined(found)
    wake_ups = insert_beginnings(session, opened)
    count_alerts(session, {execution: len(alerts) for execution, alerts in joined.items()})
    list_alerts(session, ((one.execution, one.group) for one in found))
    moment = tell_all(session, [*_entries(found, joined)])
    perhaps_in_maintenance = [one.execution for one in found if one.perhaps_in_maintenance]
    wake_ups = meet_maintenance(session, perhaps_in_maintenance, wake_ups)
    answers = dict(answer for one in found for answer in one.started())
    return Batch([answers[place] for place in range(len(requests))], opened, [*joined], wake_ups, moment)


def _joined(found: Sequence[_Found]) -> dict[Execution, list[StartRequest]]:
    """The alerts that executions have not counted yet: what they were inserted with, they have."""
    joined: dict[Execution, list[StartRequest]] = {}
    for one in found:
        if not one.opened:
            joined.setdefault(one.execution, []).extend(one.group.requests)
    return joined


def _entries(found: Sequence[_Found], joined: Mapping[Execution, Sequence[StartRequest]]) -> Iterator[Entry]:
    """All that timelines are to say; of executions that take in others, in a bounded number of lines."""
    yield from (entry for one in found for entry in one.entries())
    taken: dict[Execution, list[StartRequest]] = {}
    for one in found:
        if one.execution.group_key is not None:
            taken.setdefault(one.execution, []).extend(one.joined)
    for execution, alerts in taken.items():
        yield from storm_entries(execution, alerts)


def _open_or_join(
    session: Session, groups: Sequence[Group], team_id: UUID | None, *, may_open: bool
) -> list[_Found]:
    """Insert the execution of each group, or lock the open one; fewer when neither could be done."""
    groupings = known_groupings({group.flow_id for group in groups})
    targets = find_hosts(session, groups, groupings)
    alone = [group for group in groups if group.new_id not in targets]
    opened = insert_executions(session, alone, team_id) if may_open and alone else {}
    if not were_known(session, [one.execution for one in opened.values()], groupings):
        return []
    keys = [group.key for group in alone if group.key is not None and group.new_id not in opened]
    joined = lock_open(session, keys, team_id)
    hosts = lock_hosts(session, sorted({*targets.values()} - opened.keys()))
    hosts |= {id_: one.execution for id_, one in opened.items()}
    return [
        *(
            _Found(group, opened[group.new_id].execution, True, opened[group.new_id].perhaps_in_maintenance)
            for group in alone
            if group.new_id in opened
        ),
        *(_Found(group, joined[group.key], False) for group in alone if group.key in joined),
        *(
            _Found(group, hosts[targets[group.new_id]], False)
            for group in groups
            if targets.get(group.new_id) in hosts
        ),
    ]


def require_in_use(session: Session, flow_ids: set[UUID], team_id: UUID | None) -> None:
    """Raise when one of the flows is gone, or archived, or not in the team."""
    query = select(Flow.id, Flow.archived_at.is_(None)).where(Flow.id.in_(flow_ids))
    if team_id is not None:
        query = query.where(Flow.team_id == team_id)
    in_use: dict[UUID, bool] = dict(session.execute(query).all())
    if in_use.keys() != flow_ids:
        raise NotFoundError("There is no such flow, or none that you may see.")
    if not all(in_use.values()):
        raise ConflictError("the flow is archived; it starts nothing", archived=True)
