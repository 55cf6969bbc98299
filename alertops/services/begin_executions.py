"""Executions that were just inserted get their first steps and timers, and their timelines begin."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import structlog
from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from alertops import tracing
from alertops.db import Moment, database_now
from alertops.escalation.flow import Flow
from alertops.escalation.plan import Course, PlannedStep, Position, plan_step
from alertops.escalation.states import StepStatus, TimerKind, TimerStatus
from alertops.faults import Point, reach
from alertops.models import Execution, Step, TimelineEntry, Timer
from alertops.services.dispatch import Dispatcher, StepWakeUp, TimerWakeUp, WakeUp
from alertops.services.frozen_flows import frozen_flows
from alertops.services.keys import StepKey, TimerKey

log = structlog.get_logger(__name__)

Row = dict[str, Any]

_FIRST = 1  # the number of an execution's first step, and of its first timer
_STEPS, _TIMERS, _TIMELINE = (cast(Table, model.__table__) for model in (Step, Timer, TimelineEntry))


@dataclass(frozen=True)
class Entry:
    """What a timeline is to say of an alert."""

    execution_id: UUID
    event: str
    actor_id: UUID | None
    detail: Mapping[str, Any]


def begin(
    session: Session, dispatcher: Dispatcher, execution: Execution, actor_id: UUID | None, **said: Any
) -> None:
    """Give one that was inserted all that it begins with, commit and dispatch."""
    wake_ups = insert_beginnings(session, [execution])
    moment = tell_all(session, [started(execution, actor_id, **said)])
    commit(session, opened=[execution])
    dispatcher.dispatch(session, wake_ups, moment=moment)


def insert_beginnings(session: Session, executions: Sequence[Execution]) -> list[WakeUp]:
    """(nothing) -> waiting: the first step of each, and its timer if its flow has one; what wakes them."""
    if not executions:
        return []
    flows = frozen_flows(session, {(e.flow_id, e.revision_number) for e in executions})
    begun = [(e, flows[e.flow_id, e.revision_number]) for e in executions]
    steps = [(e, plan_step(flow, Course(e.anchor_at), Position(0, 0), _FIRST)) for e, flow in begun]
    session.execute(insert(_STEPS), [_step(e, planned) for e, planned in steps])
    timers = [timer for e, flow in begun for timer in _timers(e, flow)]
    if timers:
        session.execute(insert(_TIMERS), timers)
    return [
        *(StepWakeUp(StepKey(e.id, planned.number), planned.due_at) for e, planned in steps),
        *(TimerWakeUp(TimerKey(row["execution_id"], row["number"]), row["due_at"]) for row in timers),
    ]


def started(execution: Execution, actor_id: UUID | None, **said: Any) -> Entry:
    """The first entry of its timeline."""
    flow_id, revision = str(execution.flow_id), execution.revision_number
    return Entry(execution.id, "started", actor_id, {"flow_id": flow_id, "revision": revision, **said})


def tell_all(session: Session, entries: Sequence[Entry]) -> Moment:
    """Write the entries; return the time of the last one, which is the latest that the database has said."""
    if not entries:
        return Moment(database_now(session))
    rows = [
        {"execution_id": e.execution_id, "event": e.event, "actor_id": e.actor_id, "detail": dict(e.detail)}
        for e in entries
    ]
    times = session.scalars(insert(_TIMELINE).returning(_TIMELINE.c.at), rows).all()
    return Moment(max(times))


def commit(
    session: Session, *, opened: Collection[Execution], joined: Collection[Execution] = (), since: int = 0
) -> None:
    """Commit what was begun, and the alerts that were counted on what had begun before.

    `since` is when that began, for whoever traces (`tracing.clock`).
    """
    since = since or tracing.clock()
    if opened:
        reach(Point.BEFORE_START, session)
    if joined:
        reach(Point.BEFORE_JOIN, session)
    session.commit()
    if opened:
        reach(Point.AFTER_START, session)
        log.info("executions_started", executions=[str(execution.id) for execution in opened])
        tracing.opened([execution.id for execution in opened], since)
    if joined:
        reach(Point.AFTER_JOIN, session)


def _step(execution: Execution, planned: PlannedStep) -> Row:
    return {
        "execution_id": execution.id,
        "number": planned.number,
        "round": planned.round,
        "node_index": planned.node_index,
        "node_id": planned.node_id,
        "node_name": planned.node_name,
        "revision_number": execution.revision_number,
        "status": StepStatus.WAITING,
        "planned_at": planned.due_at,
        "due_at": planned.due_at,
    }


def _timers(execution: Execution, flow: Flow) -> Iterator[Row]:
    if flow.resolve_after_seconds is not None:
        yield {
            "execution_id": execution.id,
            "number": _FIRST,
            "kind": TimerKind.RESOLVE,
            "status": TimerStatus.WAITING,
            "due_at": execution.created_at + timedelta(seconds=flow.resolve_after_seconds),
        }
