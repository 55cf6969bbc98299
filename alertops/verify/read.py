"""Histories in pages: little memory for any number of executions, and each page from one snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, select, true, tuple_
from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.models import Attempt, Execution, Step, Timer
from alertops.verify.history import Deadline, History
from alertops.verify.told import read_revisions, read_told, spans_of, stretches_of

PAGE = 200

Row = TypeVar("Row", Step, Attempt, Timer)


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
    told = read_told(session, ids)
    revisions = read_revisions(session, executions, told)
    steps = _grouped(session.scalars(select(Step).where(Step.execution_id.in_(ids)).order_by(Step.number)))
    in_order = (Attempt.step_number, Attempt.target_number, Attempt.number)
    attempts = _grouped(
        session.scalars(select(Attempt).where(Attempt.execution_id.in_(ids)).order_by(*in_order))
    )
    timers = _grouped(session.scalars(select(Timer).where(Timer.execution_id.in_(ids))))
    # What the session forgets first, the end of the transaction does not expire, to be read again later.
    session.expunge_all()
    session.rollback()
    return [
        History(
            execution=execution,
            stretches=stretches_of(execution, said, revisions),
            spans=spans_of(execution, said),
            steps=steps[execution.id],
            attempts=attempts[execution.id],
            told_nobody=frozenset(said.nobody),
            now=now,
            deadline=deadline,
            to_retry=frozenset(said.to_retry),
            brought_forward=frozenset(said.brought_forward),
            timers=timers[execution.id],
        )
        for execution in executions
        for said in [told[execution.id]]
    ]


def _grouped(rows: Iterable[Row]) -> defaultdict[UUID, list[Row]]:
    grouped: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.execution_id].append(row)
    return grouped
