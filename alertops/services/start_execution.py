"""An alert becomes an execution: committed with its first step waiting before anybody says 2xx.

Alerts with the same dedup key race for a unique partial index; one opens the execution, the others
join it. The broker is told after the commit; when it is down, the row waits for recovery.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import String, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.errors import ConflictError, NotFoundError
from alertops.escalation.flow import flow_from_json
from alertops.escalation.plan import Course, Position, plan_step
from alertops.escalation.states import OPEN_FOR_DEDUPLICATION, ExecutionStatus, TimerKind
from alertops.faults import Point, reach
from alertops.models import Execution, Flow, FlowRevision
from alertops.services import transitions
from alertops.services.dispatch import Dispatcher, StepWakeUp, TimerWakeUp, WakeUp
from alertops.services.keys import StepKey
from alertops.services.lock import lock_execution
from alertops.services.timeline import tell

log = structlog.get_logger(__name__)

# Between "an execution with this key is open" and our lock on it, it may be answered and closed, and
# then another alert may open the next. Losing that race this often in a row means something is wrong.
MAX_TRIES = 5


@dataclass(frozen=True)
class Alert:
    """What came in. `details` is plain JSON."""

    summary: str
    severity: str
    details: dict[str, Any]
    dedup_key: str | None = None


@dataclass(frozen=True)
class Started:
    """The execution that the alert opened, or joined (`created` is false)."""

    execution: Execution
    created: bool


def start_execution(
    session: Session, dispatcher: Dispatcher, flow: Flow, alert: Alert, actor_id: UUID | None
) -> Started:
    """Open an execution of the flow's newest revision, or join the open one with the same dedup key."""
    flow_id = flow.id  # a rollback below would have it read again
    for _ in range(MAX_TRIES):
        execution_id = _insert(session, flow_id, alert)
        if execution_id is not None:
            execution = session.get_one(Execution, execution_id)
            return begin(session, dispatcher, execution, actor_id)
        joined = _join(session, flow_id, alert, actor_id)
        if joined is not None:
            return joined
        _require_in_use(session, flow_id)
    raise ConflictError("executions with this dedup_key open and close faster than this alert can join one")


def _insert(session: Session, flow_id: UUID, alert: Alert) -> UUID | None:
    """Insert the execution; None when one with this key is open, or the flow starts nothing any more.

    The flow's row is locked FOR KEY SHARE: an edit passes, and is frozen whole or not at all; archiving
    waits for us, or we for it (services/flows/lock_flow.py).
    """
    open_states = ", ".join(f"'{status}'" for status in OPEN_FOR_DEDUPLICATION)
    values = {
        "team_id": Flow.team_id,
        "flow_id": Flow.id,
        "revision_number": Flow.revision_number,
        "status": literal(ExecutionStatus.RUNNING.value),
        "summary": literal(alert.summary),
        "severity": literal(alert.severity),
        "dedup_key": literal(alert.dedup_key, String),
        "details": literal(alert.details, Execution.details.type),
        "anchor_at": func.now(),
    }
    in_use = (
        select(*values.values())
        .where(Flow.id == flow_id, Flow.archived_at.is_(None))
        .with_for_update(read=True, key_share=True)
    )
    return session.execute(
        insert(Execution)
        .from_select(list(values), in_use)
        .on_conflict_do_nothing(
            index_elements=["flow_id", "dedup_key"],
            index_where=text(f"dedup_key IS NOT NULL AND status IN ({open_states})"),
        )
        .returning(Execution.id)
    ).scalar_one_or_none()


def begin(
    session: Session, dispatcher: Dispatcher, execution: Execution, actor_id: UUID | None, **said: Any
) -> Started:
    """Give an execution that was inserted its first step and its timer, commit and dispatch."""
    id_, revision = execution.id, execution.revision_number
    definition = session.get_one(FlowRevision, (execution.flow_id, revision)).definition
    flow = flow_from_json(definition)
    first = plan_step(flow, Course(execution.anchor_at), Position(0, 0), 1)
    transitions.insert_step(session, id_, first, revision)
    wake_ups: list[WakeUp] = [StepWakeUp(StepKey(id_, first.number), first.due_at)]
    if flow.resolve_after_seconds is not None:
        over_at = execution.created_at + timedelta(seconds=flow.resolve_after_seconds)
        timer = transitions.insert_timer(session, id_, TimerKind.RESOLVE, over_at)
        wake_ups.append(TimerWakeUp(timer, over_at))
    tell(
        session, id_, "started", actor_id=actor_id, flow_id=str(execution.flow_id), revision=revision, **said
    )
    reach(Point.BEFORE_START, session)
    session.commit()
    reach(Point.AFTER_START, session)
    log.info("execution_started", execution=str(id_), first_due_at=first.due_at.isoformat())
    dispatcher.dispatch(session, wake_ups)
    return Started(execution, created=True)


def _join(session: Session, flow_id: UUID, alert: Alert, actor_id: UUID | None) -> Started | None:
    """Count the alert on the open execution; None when there is none, or it was closed meanwhile."""
    if alert.dedup_key is None:
        session.rollback()
        return None
    found = session.scalars(
        select(Execution.id).where(
            Execution.flow_id == flow_id,
            Execution.dedup_key == alert.dedup_key,
            Execution.status.in_(OPEN_FOR_DEDUPLICATION),
        )
    ).one_or_none()
    execution = lock_execution(session, found) if found is not None else None
    if execution is None or execution.status not in OPEN_FOR_DEDUPLICATION:
        session.rollback()
        return None
    session.execute(
        update(Execution)
        .where(Execution.id == execution.id)
        .values(alert_count=Execution.alert_count + 1)
        .execution_options(synchronize_session=False)
    )
    tell(session, execution.id, "alert_repeated", actor_id=actor_id, summary=alert.summary)
    reach(Point.BEFORE_JOIN, session)
    session.commit()
    reach(Point.AFTER_JOIN, session)
    session.refresh(execution)
    return Started(execution, created=False)


def _require_in_use(session: Session, flow_id: UUID) -> None:
    flow = session.get(Flow, flow_id, populate_existing=True)
    if flow is None:
        raise NotFoundError("There is no such flow, or none that you may see.")
    if flow.archived_at is not None:
        raise ConflictError("the flow is archived; it starts nothing", archived=True)
