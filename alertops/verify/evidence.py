"""An execution as lines of text: its rows and its timeline, for whoever has to find out why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Attempt, Execution, Step, TimelineEntry


def evidence(session: Session, execution_id: UUID) -> list[str]:
    """Everything about the execution that time orders; times are UTC."""
    execution = session.get(Execution, execution_id, populate_existing=True)
    lines = ["there is no such execution"] if execution is None else list(_lines(session, execution))
    session.rollback()
    return lines


def _lines(session: Session, execution: Execution) -> Iterator[str]:
    began, answered = _time(execution.anchor_at), _time(execution.acknowledged_at)
    yield f"{execution.status}, began {began}, answered {answered}"
    steps = select(Step).where(Step.execution_id == execution.id).order_by(Step.number)
    for step in session.scalars(steps):
        yield (
            f"step {step.number}: {step.status}, planned {_time(step.planned_at)}, due {_time(step.due_at)}, "
            f"fired {_time(step.fired_at)}, dispatched {_time(step.dispatched_at)}, "
            f"recovered {step.recovery_count} times"
        )
    in_order = (Attempt.step_number, Attempt.target_number, Attempt.number)
    attempts = select(Attempt).where(Attempt.execution_id == execution.id).order_by(*in_order)
    for a in session.scalars(attempts):
        yield (
            f"attempt {a.step_number}.{a.target_number}.{a.number}: {a.status}, to {a.address}, "
            f"due {_time(a.due_at)}, claim {a.claim_number}, transmitted {_time(a.transmit_at)}, "
            f"lease until {_time(a.lease_until)}, finished {_time(a.finished_at)}, "
            f"dispatched {_time(a.dispatched_at)}, recovered {a.recovery_count} times, {a.detail}"
        )
    entries = (
        select(TimelineEntry).where(TimelineEntry.execution_id == execution.id).order_by(TimelineEntry.id)
    )
    for entry in session.scalars(entries):
        spot = ".".join(str(n) for n in (entry.step_number, entry.target_number, entry.attempt_number) if n)
        yield f"{_time(entry.at)} {entry.event} {spot} {json.dumps(entry.detail)}"


def _time(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%H:%M:%S.%f}"[:-3]
