"""An attempt with all that its sender needs to know, locked and read in one round trip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from alertops.escalation.events import Progress
from alertops.escalation.state import State
from alertops.models import Attempt, Execution, Flow, Membership, Outsider, Step, Team
from alertops.services.keys import AttemptKey
from alertops.services.lock import attempt_state
from alertops.services.locked import ATTEMPT_COLUMNS, EXECUTION_COLUMNS, LockedAttempt, LockedExecution
from alertops.services.parameters import of_attempt
from alertops.services.progress import progress_from, with_progress
from alertops.services.under_lock import UnderLock

_EXECUTION_WIDTH = len(EXECUTION_COLUMNS)
_WIDTH = _EXECUTION_WIDTH + len(ATTEMPT_COLUMNS)


@dataclass(frozen=True)
class ToClaim:
    """What decides about a claim, and what the message will say."""

    execution: LockedExecution
    attempt: LockedAttempt
    state: State
    now: datetime
    summary: str
    details: Mapping[str, Any]
    team_name: str
    flow_name: str
    # Since the step fired: the address may have asked for no more, its owner may have left the team.
    stopped: bool
    left: bool


@dataclass(frozen=True)
class ToRecord:
    """What decides about what follows from an outcome."""

    execution: LockedExecution
    attempt: LockedAttempt
    state: State
    began_at: datetime  # when the first attempt at this target was due
    progress: Progress
    now: datetime


def _attempt_and(*columns: Any) -> Select[Any]:
    step = Step.__table__.c
    return (
        select(
            *EXECUTION_COLUMNS,
            *ATTEMPT_COLUMNS,
            step.node_id,
            step.revision_number.label("step_revision"),
            *columns,
        )
        .select_from(Attempt)
        .join(Execution, Execution.id == Attempt.execution_id)
        .join(Step, (Step.execution_id == Attempt.execution_id) & (Step.number == Attempt.step_number))
        .where(
            Attempt.execution_id == bindparam("key_execution"),
            Attempt.step_number == bindparam("key_step"),
            Attempt.target_number == bindparam("key_target"),
            Attempt.number == bindparam("key_attempt"),
        )
    )


_TO_CLAIM = UnderLock(
    "lock_and_read_to_claim",
    _attempt_and(
        Execution.summary,
        Execution.details,
        Team.name.label("team_name"),
        Flow.name.label("flow_name"),
        Outsider.stopped_at.is_not(None).label("stopped"),
        (Attempt.user_id.is_not(None) & Membership.user_id.is_(None)).label("gone"),
        func.clock_timestamp().label("now"),
    )
    .join(Flow, Flow.id == Execution.flow_id)
    .join(Team, Team.id == Flow.team_id)
    .outerjoin(Outsider, Outsider.id == Attempt.outsider_id)
    .outerjoin(
        Membership, (Membership.team_id == Execution.team_id) & (Membership.user_id == Attempt.user_id)
    ),
)

_first = aliased(Attempt)
_TO_RECORD = UnderLock(
    "lock_and_read_to_record",
    with_progress(
        _attempt_and(_first.due_at.label("began_at"), func.clock_timestamp().label("now")).join(
            _first,
            (_first.execution_id == Attempt.execution_id)
            & (_first.step_number == Attempt.step_number)
            & (_first.target_number == Attempt.target_number)
            & (_first.number == 1),
        )
    ),
)


def lock_to_claim(session: Session, key: AttemptKey) -> ToClaim | None:
    """Lock the attempt's execution and read; None when there is no such attempt."""
    row = _only(session, _TO_CLAIM, key)
    if row is None:
        return None
    execution, attempt, state = _parts(session, row)
    return ToClaim(
        execution,
        attempt,
        state,
        row.now,
        row.summary,
        row.details,
        row.team_name,
        row.flow_name,
        stopped=row.stopped,
        left=row.gone,
    )


def lock_to_record(session: Session, key: AttemptKey) -> ToRecord | None:
    """The same for an attempt whose sending has ended."""
    row = _only(session, _TO_RECORD, key)
    if row is None:
        return None
    return ToRecord(*_parts(session, row), row.began_at, progress_from(row), row.now)


def _only(session: Session, read: UnderLock, key: AttemptKey) -> Row[Any] | None:
    rows = read.run(session, key.execution_id, of_attempt(key)).all()
    return rows[0] if rows else None


def _parts(session: Session, row: Row[Any]) -> tuple[LockedExecution, LockedAttempt, State]:
    execution = LockedExecution(*row[:_EXECUTION_WIDTH])
    attempt = LockedAttempt(*row[_EXECUTION_WIDTH:_WIDTH])
    state = attempt_state(
        session, execution, attempt.step_number, node_id=row.node_id, revision_number=row.step_revision
    )
    return execution, attempt, state
