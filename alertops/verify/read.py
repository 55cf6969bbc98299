"""Histories in pages: little memory for any number of executions, and each page from one snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true, tuple_
from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.escalation.decision import Reason
from alertops.escalation.flow import Flow, flow_from_json
from alertops.escalation.plan import plan
from alertops.models import Attempt, Execution, FlowRevision, Step, TimelineEntry
from alertops.verify.history import Deadline, History

PAGE = 200

Row = TypeVar("Row", Step, Attempt)
StepsOf = defaultdict[UUID, set[int]]
AttemptsOf = defaultdict[UUID, set[tuple[int, int, int]]]


def read_histories(
    session: Session,
    deadline: Deadline,
    *,
    since: datetime | None = None,
    executions: Collection[UUID] | None = None,
) -> Iterator[History]:
    """The histories of all executions, or of those since a time, or of these, oldest first.

    Nothing is locked. The session must be used for nothing else meanwhile: no transaction may be open,
    and its objects are forgotten with each page.
    """
    wanted = true() if since is None else Execution.created_at >= since
    if executions is not None:
        wanted &= Execution.id.in_(executions)
    after: ColumnElement[bool] = true()
    while page := _page(session, wanted & after, deadline):
        yield from page
        last = page[-1].execution
        after = tuple_(Execution.created_at, Execution.id) > tuple_(last.created_at, last.id)


def _page(session: Session, where: ColumnElement[bool], deadline: Deadline) -> Sequence[History]:
    """One page from one snapshot: rows that were read at different times would contradict each other."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    order = (Execution.created_at, Execution.id)
    executions = session.scalars(select(Execution).where(where).order_by(*order).limit(PAGE)).all()
    now = database_now(session)
    ids = [execution.id for execution in executions]
    flows = _flows(session, executions)
    steps = _grouped(session.scalars(select(Step).where(Step.execution_id.in_(ids)).order_by(Step.number)))
    in_order = (Attempt.step_number, Attempt.target_number, Attempt.number)
    attempts = _grouped(
        session.scalars(select(Attempt).where(Attempt.execution_id.in_(ids)).order_by(*in_order))
    )
    told_nobody, brought_forward, to_retry = _said(session, ids)
    # What the session forgets first, the end of the transaction does not expire, to be read again later.
    session.expunge_all()
    session.rollback()
    return [
        History(
            execution=execution,
            flow=flow,
            planned=list(plan(flow, execution.anchor_at)),
            steps=steps[execution.id],
            attempts=attempts[execution.id],
            told_nobody=frozenset(told_nobody[execution.id]),
            now=now,
            deadline=deadline,
            to_retry=frozenset(to_retry[execution.id]),
            brought_forward=frozenset(brought_forward[execution.id]),
        )
        for execution in executions
        for flow in [flows[execution.flow_id, execution.revision_number]]
    ]


def _flows(session: Session, executions: Sequence[Execution]) -> dict[tuple[UUID, int], Flow]:
    """The frozen flows of these executions, each read once."""
    key = (FlowRevision.flow_id, FlowRevision.number)
    wanted = {(execution.flow_id, execution.revision_number) for execution in executions}
    found = session.execute(select(*key, FlowRevision.definition).where(tuple_(*key).in_(wanted)))
    return {(flow_id, number): flow_from_json(definition) for flow_id, number, definition in found}


def _grouped(rows: Iterable[Row]) -> defaultdict[UUID, list[Row]]:
    grouped: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.execution_id].append(row)
    return grouped


def _said(session: Session, ids: Sequence[UUID]) -> tuple[StepsOf, StepsOf, AttemptsOf]:
    """What the timelines say: steps that found nobody, steps brought forward, attempts to be repeated."""
    said = TimelineEntry.event
    step_number, target_number, attempt_number = (
        func.coalesce(column, 0)
        for column in (TimelineEntry.step_number, TimelineEntry.target_number, TimelineEntry.attempt_number)
    )
    retried = said.in_(("attempt_failed", "attempt_unknown")) & (
        TimelineEntry.detail["reason"].astext == Reason.RETRY
    )
    entries = select(TimelineEntry.execution_id, said, step_number, target_number, attempt_number).where(
        TimelineEntry.execution_id.in_(ids), said.in_(("nobody_to_tell", "step_brought_forward")) | retried
    )
    told_nobody: StepsOf = defaultdict(set)
    brought_forward: StepsOf = defaultdict(set)
    to_retry: AttemptsOf = defaultdict(set)
    for execution_id, event, step, target, attempt in session.execute(entries):
        match event:
            case "nobody_to_tell":
                told_nobody[execution_id].add(step)
            case "step_brought_forward":
                brought_forward[execution_id].add(step)
            case _:
                to_retry[execution_id].add((step, target, attempt))
    return told_nobody, brought_forward, to_retry
