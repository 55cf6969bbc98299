"""What timelines say of the course of executions: what they ran from when on, and when they were silent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from alertops.escalation.decision import Reason
from alertops.escalation.flow import Flow, flow_from_json
from alertops.escalation.plan import Course
from alertops.models import Execution, FlowRevision, TimelineEntry
from alertops.verify.history import Span, Stretch

_SILENCED = ("acknowledged", "snoozed", "exhausted", "resolved", "cancelled")
_OF_COURSE = ("started", "course_changed", "resumed", *_SILENCED)
_OF_STEPS = ("nobody_to_tell", "step_brought_forward")

Revisions = Mapping[tuple[UUID, int], Flow]


@dataclass
class Told:
    """What one timeline says, as far as it can be checked."""

    nobody: set[int] = field(default_factory=set)
    brought_forward: set[int] = field(default_factory=set)
    to_retry: set[tuple[int, int, int]] = field(default_factory=set)
    of_course: list[tuple[str, datetime, dict[str, Any]]] = field(default_factory=list)


def read_told(session: Session, ids: Collection[UUID]) -> Mapping[UUID, Told]:
    """What the timelines of these executions say."""
    said = TimelineEntry.event
    spots = (TimelineEntry.step_number, TimelineEntry.target_number, TimelineEntry.attempt_number)
    retried = said.in_(("attempt_failed", "attempt_unknown")) & (
        TimelineEntry.detail["reason"].astext == Reason.RETRY
    )
    columns = (TimelineEntry.execution_id, said, TimelineEntry.at, TimelineEntry.detail)
    entries = (
        select(*columns, *(func.coalesce(column, 0) for column in spots))
        .where(TimelineEntry.execution_id.in_(ids), said.in_((*_OF_COURSE, *_OF_STEPS)) | retried)
        .order_by(TimelineEntry.id)
    )
    told: defaultdict[UUID, Told] = defaultdict(Told)
    for execution_id, event, at, detail, *spot in session.execute(entries):
        _note(told[execution_id], event, at, detail, spot)
    return told


def _note(told: Told, event: str, at: datetime, detail: dict[str, Any], spot: Sequence[int]) -> None:
    step, target, attempt = spot
    match event:
        case "nobody_to_tell":
            told.nobody.add(step)
        case "step_brought_forward":
            told.brought_forward.add(step)
        case "attempt_failed" | "attempt_unknown":
            told.to_retry.add((step, target, attempt))
        case _:
            told.of_course.append((event, at, detail))


def read_revisions(session: Session, executions: Sequence[Execution], told: Mapping[UUID, Told]) -> Revisions:
    """What was run in any of these executions at any time, each revision read once."""
    wanted = {(execution.flow_id, execution.revision_number) for execution in executions}
    for one in told.values():
        for _, _, detail in one.of_course:
            if "flow_id" in detail and detail["revision"] is not None:
                wanted.add((UUID(detail["flow_id"]), detail["revision"]))
    key = (FlowRevision.flow_id, FlowRevision.number)
    found = session.execute(select(*key, FlowRevision.definition).where(tuple_(*key).in_(wanted)))
    return {(flow_id, number): flow_from_json(definition) for flow_id, number, definition in found}


def stretches_of(execution: Execution, told: Told, revisions: Revisions) -> list[Stretch]:
    """What was run from which step on; an execution begins at its creation, with step 1."""
    started = next((detail for event, _, detail in told.of_course if event == "started"), {})
    flow_id = UUID(started.get("flow_id") or str(execution.flow_id))
    first = revisions[flow_id, started.get("revision") or execution.revision_number]
    began_at = execution.created_at
    stretches = [Stretch(1, 1, first, Course(began_at), began_at)]
    for event, at, detail in told.of_course:
        if event == "course_changed":
            stretches.append(_stretch(at, detail, revisions))
    return stretches


def _stretch(at: datetime, detail: Mapping[str, Any], revisions: Revisions) -> Stretch:
    own = detail["definition"]
    flow = flow_from_json(own) if own else revisions[UUID(detail["flow_id"]), detail["revision"]]
    not_before = detail["not_before_at"]
    course = Course(
        datetime.fromisoformat(detail["anchor_at"]),
        datetime.fromisoformat(not_before) if not_before else None,
    )
    return Stretch(detail["from_step"], detail["first_step"], flow, course, at, detail["reason"])


def spans_of(execution: Execution, told: Told) -> list[Span]:
    """When it ran: from its creation, or from when it came back, until somebody answered or it ended."""
    spans = [Span(execution.created_at)]
    for event, at, _ in told.of_course:
        if event == "resumed":
            spans.append(Span(at))
        elif event in _SILENCED and spans[-1].ended_at is None:
            spans[-1] = Span(spans[-1].began_at, at)
    return spans
