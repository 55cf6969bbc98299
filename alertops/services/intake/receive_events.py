"""Events become executions, and ends of executions: all of a request, or nothing, before anybody says 2xx.

::

    route ─▶ open or join for the triggers ─▶ lock what the others are about, end it ─▶ COMMIT ─▶ dispatch

One transaction, whatever the number of events. Of events with one key, each finds what the one before it has
left: the request is taken in stages, in each of which every key is either triggered or ended. What two
requests both want, each takes in one order within a stage; across stages Postgres may find that they wait for
each other, and then the victim begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from alertops.db import Moment, database_now
from alertops.errors import ConflictError
from alertops.escalation.decision import Reason
from alertops.escalation.events import Acknowledge
from alertops.escalation.machine import decide
from alertops.escalation.states import ExecutionStatus
from alertops.faults import Point, reach
from alertops.intake.event import Action, Event
from alertops.models import Execution
from alertops.models.execution import OPEN_KEY_INDEX
from alertops.services.alert_limit import AlertLimit
from alertops.services.alerts import Alert, StartRequest
from alertops.services.apply import apply
from alertops.services.begin_executions import commit
from alertops.services.dispatch import Dispatcher, WakeUp
from alertops.services.end_executions import end_executions
from alertops.services.intake.find_unresolved import lock_unresolved, to_acknowledge
from alertops.services.intake.routes import routes_of
from alertops.services.integrations.authenticate_integration import WayIn
from alertops.services.lock import planning_state, read_steps
from alertops.services.persistence import persistently
from alertops.services.start_executions import MAX_TRIES, open_or_join_all, require_in_use
from alertops.services.storms.grouped_alerts import end_alerts

PATIENCE_SECONDS = 3

log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """What became of an event."""

    OPENED = "opened"
    JOINED = "joined"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    DROPPED = "dropped"  # there was nothing to acknowledge or to resolve


@dataclass(frozen=True)
class Received:
    """An event, what became of it, and the executions that it was about."""

    event: Event
    outcome: Outcome
    execution_ids: list[UUID]


@dataclass
class _Work:
    """What a request has done so far in its transaction."""

    way_in: WayIn
    limit: AlertLimit | None
    received: dict[int, Received] = field(default_factory=dict)
    opened: list[Execution] = field(default_factory=list)
    joined: list[Execution] = field(default_factory=list)
    ended: bool = False
    wake_ups: list[WakeUp] = field(default_factory=list)
    moment: Moment | None = None

    @property
    def said(self) -> dict[str, str]:
        """What timelines are to say beside the rest."""
        return {"integration": self.way_in.name}


Placed = tuple[int, Event]
"""An event, and its place in the request."""


class _ChangedError(Exception):
    """Something was changed under the request: it begins anew."""


def receive_events(
    session: Session,
    dispatcher: Dispatcher,
    way_in: WayIn,
    events: Sequence[Event],
    limit: AlertLimit | None = None,
) -> list[Received]:
    """Do what the events say, commit, and dispatch.

    Raises `ConflictError`, and does nothing, when a flow that they are for starts nothing any more;
    `ThrottledError` when the team is beyond its limit, and one of them would open an execution.
    """
    work = persistently(session, PATIENCE_SECONDS, lambda: _receive(session, _Work(way_in, limit), events))
    if work.opened:
        dispatcher = dispatcher.within_share(work.opened[0].team_id, len(work.opened))
    dispatcher.dispatch(session, work.wake_ups, moment=work.moment)
    if work.opened and limit is not None:
        limit.count(session, work.opened[0].team_id, len(work.opened))
    counts = {outcome.value: 0 for outcome in Outcome}
    for received in work.received.values():
        counts[received.outcome] += 1
    log.info("events_received", integration=str(way_in.monitor.id), **counts)
    return [work.received[place] for place in range(len(events))]


def _receive(session: Session, blank: _Work, events: Sequence[Event]) -> _Work:
    for _ in range(MAX_TRIES):
        work = _Work(blank.way_in, blank.limit)
        try:
            for stage in _stages(events):
                _trigger(session, work, [placed for placed in stage if placed[1].action is Action.TRIGGER])
                _answer(session, work, [placed for placed in stage if placed[1].action is not Action.TRIGGER])
        except _ChangedError:
            session.rollback()
            continue
        except IntegrityError as error:
            session.rollback()
            # Another alert opened an execution with the key of one that was to be acknowledged.
            if OPEN_KEY_INDEX not in str(error.orig):
                raise
            continue
        _commit(session, work)
        return work
    raise ConflictError("executions open and close faster than these events can be received")


def _stages(events: Sequence[Event]) -> Iterator[list[Placed]]:
    """The events, so that within a stage no key is both triggered and ended."""
    stages: list[list[Placed]] = []
    last: dict[str, tuple[int, Action]] = {}
    for place, event in enumerate(events):
        number, action = last.get(event.dedup_key, (0, event.action))
        number += action is not event.action
        last[event.dedup_key] = (number, event.action)
        if number == len(stages):
            stages.append([])
        stages[number].append((place, event))
    return iter(stages)


def _trigger(session: Session, work: _Work, placed: Sequence[Placed]) -> None:
    if not placed:
        return
    routes = routes_of(session, work.way_in, [event for _, event in placed])
    requests = [
        _request(work, event, route.flow_id) for (_, event), route in zip(placed, routes, strict=True)
    ]
    batch = open_or_join_all(session, requests, team_id=work.way_in.monitor.team_id, limit=work.limit)
    if batch is None:
        session.rollback()
        require_in_use(session, {route.flow_id for route in routes}, work.way_in.monitor.team_id)
        raise _ChangedError
    for (place, event), started in zip(placed, batch.started, strict=True):
        outcome = Outcome.OPENED if started.created else Outcome.JOINED
        work.received[place] = Received(event, outcome, [started.execution.id])
    work.opened += batch.opened
    work.joined += batch.joined
    work.wake_ups += batch.wake_ups
    work.moment = batch.moment


def _request(work: _Work, event: Event, flow_id: UUID) -> StartRequest:
    alert = Alert(event.summary, event.severity, dict(event.details), event.dedup_key, event.labels)
    monitor_id = work.way_in.monitor.id
    return StartRequest(flow_id, alert, work.said, monitor_id, monitor_id)


def _answer(session: Session, work: _Work, placed: Sequence[Placed]) -> None:
    if not placed:
        return
    unresolved = lock_unresolved(session, work.way_in, {event.dedup_key for _, event in placed})
    resolved: list[tuple[Execution, str]] = []
    for place, event in placed:
        found = unresolved.get(event.dedup_key, [])
        if event.action is Action.RESOLVE:
            ids = [execution.id for execution in found]
            # Said twice in one request: the second finds nothing.
            unresolved[event.dedup_key] = []
            resolved += [(execution, event.dedup_key) for execution in found]
        else:
            ids = [
                execution.id for execution in to_acknowledge(found) if _acknowledge(session, work, execution)
            ]
        did = Outcome.RESOLVED if event.action is Action.RESOLVE else Outcome.ACKNOWLEDGED
        work.received[place] = Received(event, did if ids else Outcome.DROPPED, ids)
    ended = end_alerts(session, resolved)
    end_executions(session, ended, ExecutionStatus.RESOLVED, work.way_in.monitor.id, **work.said)
    work.ended = work.ended or bool(resolved)


def _acknowledge(session: Session, work: _Work, execution: Execution) -> bool:
    """Whether it was not acknowledged before; its row is locked."""
    state = planning_state(session, execution, read_steps(session, execution))
    decision = decide(state, Acknowledge(), database_now(session))
    if decision.reason in (Reason.ALREADY, Reason.REFUSED):
        return False
    applied = apply(session, execution, decision, actor_id=work.way_in.monitor.id, said=work.said)
    if not applied.ok:
        raise _ChangedError
    work.wake_ups += applied.wake_ups
    work.ended = True
    return True


def _commit(session: Session, work: _Work) -> None:
    if work.ended:
        reach(Point.BEFORE_ANSWER, session)
    commit(session, opened=work.opened, joined=work.joined)
    if work.ended:
        reach(Point.AFTER_ANSWER, session)
