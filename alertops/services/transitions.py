"""Every change of a state, as a guarded statement. Each returns whether it was this caller who did it.

"No row" is an answer, not an error: somebody else got there first. All but the two marks are made
under the execution's row lock (`lock.py`); the guards hold even if a caller forgot it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ARRAY, CursorResult, Table, Update, and_, bindparam, func, null, select, tuple_, update
from sqlalchemy.orm import Session

from alertops.escalation.plan import Course, PlannedStep
from alertops.escalation.states import AttemptStatus, ExecutionStatus, StepStatus, TimerKind, TimerStatus
from alertops.models import Attempt, Execution, Letter, Step, Timer
from alertops.services.keys import AttemptKey, StepKey, TimerKey

_now = func.clock_timestamp
_ENDS = (ExecutionStatus.RESOLVED, ExecutionStatus.CANCELLED, ExecutionStatus.EXHAUSTED)

# Tables, not classes: these statements are run for every step, and the ORM has nothing to add to them.
_EXECUTIONS, _STEPS, _ATTEMPTS, _TIMERS, _LETTERS = (
    cast(Table, model.__table__) for model in (Execution, Step, Attempt, Timer, Letter)
)


def _marking(table: Table, *key: str) -> Update:
    """Mark rows by arrays of their keys. One join marks a page; a list of ORs takes long to plan."""
    columns = [table.c[name] for name in key]
    arrays = [bindparam(f"{column.name}s", type_=ARRAY(column.type)) for column in columns]
    wanted = func.unnest(*arrays).table_valued(*key).render_derived("wanted")
    free = (
        select(*columns)
        .join(wanted, and_(*(column == wanted.c[column.name] for column in columns)))
        .with_for_update(of=table, key_share=True, skip_locked=True)
        .subquery("free")
    )
    return (
        update(table)
        .where(*(column == free.c[column.name] for column in columns))
        .values(
            dispatched_at=bindparam("published_from"),
            recovery_count=table.c.recovery_count + bindparam("recoveries"),
        )
    )


_STEP_KEY = ("execution_id", "number")
_ATTEMPT_KEY = ("execution_id", "step_number", "target_number", "number")
# Made once: to make such a statement takes longer than to run it for one row.
_MARK_STEPS = _marking(_STEPS, *_STEP_KEY)
_MARK_ATTEMPTS = _marking(_ATTEMPTS, *_ATTEMPT_KEY)
_MARK_TIMERS = _marking(_TIMERS, *_STEP_KEY)
_MARK_LETTERS = _marking(_LETTERS, "id")


def move_execution(
    session: Session,
    execution_id: UUID,
    came_from: ExecutionStatus,
    to: ExecutionStatus,
    actor_id: UUID | None,
    *,
    snoozed_until: datetime | None = None,
) -> bool:
    """came_from -> to, with the times and the person that go with it.

    An execution says since when it is as it is; how it was before, its timeline says. That it was
    acknowledged stays said when it is over.
    """
    values: dict[str, Any] = {"status": to, "snoozed_until": snoozed_until, "ended_at": None}
    if to in _ENDS:
        values["ended_at"] = _now()
    elif to is ExecutionStatus.ACKNOWLEDGED:
        values |= {"acknowledged_at": _now(), "acknowledged_by": actor_id}
    else:
        values |= {"acknowledged_at": None, "acknowledged_by": None}
    return _changed(
        session,
        update(_EXECUTIONS).where(Execution.id == execution_id, Execution.status == came_from).values(values),
    )


def set_course(session: Session, execution_id: UUID, course: Course) -> None:
    """What due times are counted from; the caller holds the row's lock."""
    session.execute(
        update(_EXECUTIONS)
        .where(Execution.id == execution_id)
        .values(anchor_at=course.anchor_at, not_before_at=course.not_before)
    )


def run_flow(
    session: Session,
    execution: Execution,
    flow_id: UUID,
    revision_number: int,
    *,
    first_step: int,
    definition: dict[str, Any] | None = None,
) -> None:
    """What a locked execution runs from now on, and with which step that begins; reads the row again."""
    session.execute(
        update(_EXECUTIONS)
        .where(Execution.id == execution.id)
        .values(
            flow_id=flow_id,
            revision_number=revision_number,
            first_step=first_step,
            definition=null() if definition is None else definition,
        )
    )
    session.refresh(execution)


def insert_step(
    session: Session, execution_id: UUID, planned: PlannedStep, revision_number: int | None
) -> None:
    """(nothing) -> waiting."""
    session.add(
        Step(
            execution_id=execution_id,
            number=planned.number,
            round=planned.round,
            node_index=planned.node_index,
            node_id=planned.node_id,
            node_name=planned.node_name,
            revision_number=revision_number,
            status=StepStatus.WAITING,
            planned_at=planned.due_at,
            due_at=planned.due_at,
        )
    )
    session.flush()


def replan_step(
    session: Session, planned: PlannedStep, due_at: datetime, execution_id: UUID, revision_number: int | None
) -> bool:
    """waiting -> waiting for another node, or another time. The message under way finds what is here then."""
    return _changed(
        session,
        update(_STEPS)
        .where(
            Step.execution_id == execution_id,
            Step.number == planned.number,
            Step.status == StepStatus.WAITING,
        )
        .values(
            round=planned.round,
            node_index=planned.node_index,
            node_id=planned.node_id,
            node_name=planned.node_name,
            revision_number=revision_number,
            planned_at=planned.due_at,
            due_at=due_at,
            dispatched_at=None,
            recovery_count=0,
        ),
    )


def fire_step(session: Session, key: StepKey) -> bool:
    """waiting and due -> fired."""
    return _changed(
        session,
        update(_STEPS)
        .where(
            Step.execution_id == key.execution_id,
            Step.number == key.step,
            Step.status == StepStatus.WAITING,
            Step.due_at <= _now(),
        )
        .values(status=StepStatus.FIRED, fired_at=_now()),
    )


def bring_step_forward(session: Session, key: StepKey, due_at: datetime) -> bool:
    """waiting -> waiting and due then, unless it is due before. The message under way finds it fired."""
    return _changed(
        session,
        update(_STEPS)
        .where(
            Step.execution_id == key.execution_id,
            Step.number == key.step,
            Step.status == StepStatus.WAITING,
        )
        .values(due_at=func.least(Step.due_at, due_at), dispatched_at=None, recovery_count=0),
    )


def cancel_waiting_steps(session: Session, execution_id: UUID) -> None:
    """waiting -> cancelled."""
    session.execute(
        update(_STEPS)
        .where(Step.execution_id == execution_id, Step.status == StepStatus.WAITING)
        .values(status=StepStatus.CANCELLED)
    )


def cancel_step(session: Session, key: StepKey) -> bool:
    """waiting -> cancelled, this one."""
    return _changed(
        session,
        update(_STEPS)
        .where(
            Step.execution_id == key.execution_id,
            Step.number == key.step,
            Step.status == StepStatus.WAITING,
        )
        .values(status=StepStatus.CANCELLED),
    )


def insert_timer(session: Session, execution_id: UUID, kind: TimerKind, due_at: datetime) -> TimerKey:
    """(nothing) -> waiting, under the next number; the caller holds the execution's lock."""
    last = session.scalar(select(func.max(Timer.number)).where(Timer.execution_id == execution_id))
    key = TimerKey(execution_id, (last or 0) + 1)
    session.add(
        Timer(
            execution_id=execution_id,
            number=key.number,
            kind=kind,
            status=TimerStatus.WAITING,
            due_at=due_at,
        )
    )
    session.flush()
    return key


def fire_timer(session: Session, key: TimerKey) -> bool:
    """waiting and due -> fired."""
    return _changed(
        session,
        update(_TIMERS)
        .where(
            Timer.execution_id == key.execution_id,
            Timer.number == key.number,
            Timer.status == TimerStatus.WAITING,
            Timer.due_at <= _now(),
        )
        .values(status=TimerStatus.FIRED, fired_at=_now()),
    )


def cancel_timers(session: Session, execution_id: UUID, kinds: Sequence[TimerKind]) -> None:
    """waiting -> cancelled, those of these kinds."""
    session.execute(
        update(_TIMERS)
        .where(Timer.execution_id == execution_id, Timer.status == TimerStatus.WAITING, Timer.kind.in_(kinds))
        .values(status=TimerStatus.CANCELLED)
    )


def cancel_scheduled_attempts(session: Session, execution_id: UUID) -> None:
    """scheduled -> cancelled. What is being sent stays: it is on its way."""
    session.execute(
        update(_ATTEMPTS)
        .where(Attempt.execution_id == execution_id, Attempt.status == AttemptStatus.SCHEDULED)
        .values(status=AttemptStatus.CANCELLED, finished_at=_now())
    )


def claim_attempt(
    session: Session, key: AttemptKey, seen_claim: int, lease_seconds: float, *, may_repeat: bool
) -> bool:
    """scheduled and due, or sending with an expired lease -> sending, under the next claim number."""
    due = (Attempt.status == AttemptStatus.SCHEDULED) & (Attempt.due_at <= _now())
    abandoned = (Attempt.status == AttemptStatus.SENDING) & (Attempt.lease_until <= _now())
    return _changed(
        session,
        update(_ATTEMPTS)
        .where(_is(key), Attempt.claim_number == seen_claim, due | abandoned)
        .values(
            status=AttemptStatus.SENDING,
            claim_number=seen_claim + 1,
            lease_until=_now() + timedelta(seconds=lease_seconds),
            transmit_at=None,
            may_repeat=may_repeat,
            # A lost lease is a new loss, whatever the wait before it was.
            recovery_count=0,
        ),
    )


def mark_transmit(session: Session, key: AttemptKey, claim: int, needed_seconds: float) -> bool:
    """sending under this claim, with enough of the lease left -> about to be transmitted."""
    return _changed(
        session,
        update(_ATTEMPTS)
        .where(
            _is(key),
            Attempt.claim_number == claim,
            Attempt.status == AttemptStatus.SENDING,
            Attempt.lease_until >= _now() + timedelta(seconds=needed_seconds),
        )
        .values(transmit_at=_now()),
    )


def end_attempt(session: Session, key: AttemptKey, claim: int, outcome: AttemptStatus, detail: str) -> bool:
    """scheduled or sending under this claim -> delivered, failed, unknown or cancelled."""
    return _changed(
        session,
        update(_ATTEMPTS)
        .where(
            _is(key),
            Attempt.claim_number == claim,
            Attempt.status.in_((AttemptStatus.SCHEDULED, AttemptStatus.SENDING)),
        )
        .values(status=outcome, finished_at=_now(), detail=detail),
    )


def mark_steps_dispatched(
    session: Session, keys: Sequence[StepKey], at: datetime, *, recovering: bool
) -> None:
    """Note that wake-ups of these were published from `at` on, and that the broker has them.

    A locked row is skipped: it is being fired already.
    """
    _mark_dispatched(session, _MARK_STEPS, _STEP_KEY, keys, at, recovering=recovering)


def mark_attempts_dispatched(
    session: Session, keys: Sequence[AttemptKey], at: datetime, *, recovering: bool
) -> None:
    """The same for attempts."""
    _mark_dispatched(session, _MARK_ATTEMPTS, _ATTEMPT_KEY, keys, at, recovering=recovering)


def mark_timers_dispatched(
    session: Session, keys: Sequence[TimerKey], at: datetime, *, recovering: bool
) -> None:
    """The same for timers."""
    _mark_dispatched(session, _MARK_TIMERS, _STEP_KEY, keys, at, recovering=recovering)


def mark_letters_dispatched(session: Session, ids: Sequence[UUID], at: datetime, *, recovering: bool) -> None:
    """The same for letters."""
    keys = [(id_,) for id_ in ids]
    _mark_dispatched(session, _MARK_LETTERS, ("id",), keys, at, recovering=recovering)


def _mark_dispatched(
    session: Session,
    marking: Update,
    key: Sequence[str],
    keys: Sequence[tuple[Any, ...]],
    at: datetime,
    *,
    recovering: bool,
) -> None:
    if keys:
        arrays = {f"{name}s": list(values) for name, values in zip(key, zip(*keys, strict=True), strict=True)}
        session.execute(marking, {**arrays, "published_from": at, "recoveries": int(recovering)})


def _is(key: AttemptKey) -> Any:
    return tuple_(*(_ATTEMPTS.c[name] for name in _ATTEMPT_KEY)) == tuple_(*key)


def _changed(session: Session, statement: Any) -> bool:
    result: CursorResult[Any] = session.execute(statement)  # type: ignore[assignment]  # an UPDATE gives a cursor's result
    return result.rowcount == 1
