"""What a wake-up led to: a step that fired, a timer, an attempt that was sent, or nothing.

How late it was is read from the row afterwards, by whoever traces: a statement that nobody else pays for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Double, Select, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from alertops import tracing
from alertops.escalation.decision import Reason
from alertops.models import Attempt, Step
from alertops.services.keys import AttemptKey, StepKey, TimerKey
from alertops.tracing import Told
from alertops.tracing.ids import fire_span, start_span


@dataclass
class Woken:
    """What came of it; for the task to say."""

    reason: Reason | None = None


def firing(session: Session, key: StepKey) -> AbstractContextManager[Woken]:
    """A span for a step that fires, with those of its attempts below; any other end has one of its own."""
    return _firing(session, key) if tracing.is_on() else nullcontext(Woken())


def sending(session: Session, key: AttemptKey) -> AbstractContextManager[Woken]:
    """A span for an attempt, below the step that it is of."""
    return _sending(session, key) if tracing.is_on() else nullcontext(Woken())


def timing(key: TimerKey) -> AbstractContextManager[Woken]:
    """A span for a timer, below the start of its execution."""
    return _timing(key) if tracing.is_on() else nullcontext(Woken())


@contextmanager
def _firing(session: Session, key: StepKey) -> Iterator[Woken]:
    began, woken, failed = tracing.clock(), Woken(), None
    try:
        yield woken
    except BaseException as error:
        failed = type(error).__name__
        raise
    finally:
        ended = tracing.clock()
        about: dict[str, Any] = {"alertops.execution": str(key.execution_id), "alertops.step": key.step}
        fired = woken.reason is Reason.DUE
        span = fire_span(key.execution_id, key.step) if fired else None
        told = _said(woken) | (_read(session, key.execution_id, _of_step(key)) if fired else {})
        parent = start_span(key.execution_id)
        tracing.tell(
            Told(
                "fire_step",
                began,
                ended,
                key.execution_id,
                parent,
                span,
                "consumer",
                about | told,
                {},
                failed,
            )
        )


@contextmanager
def _timing(key: TimerKey) -> Iterator[Woken]:
    woken, parent = Woken(), start_span(key.execution_id)
    with tracing.under(key.execution_id, parent, "fire_timer", kind="consumer") as span:
        span.note(execution=str(key.execution_id), timer=key.number)
        yield woken
        if woken.reason:
            span.note(reason=woken.reason.value)


@contextmanager
def _sending(session: Session, key: AttemptKey) -> Iterator[Woken]:
    woken = Woken()
    parent = fire_span(key.execution_id, key.step)
    with tracing.under(key.execution_id, parent, "send_attempt", kind="consumer") as span:
        span.note(execution=str(key.execution_id), step=key.step, target=key.target, attempt=key.attempt)
        yield woken
        found = _said(woken) | _read(session, key.execution_id, _of_attempt(key))
        span.note(**{name.removeprefix("alertops."): value for name, value in found.items()})


def _said(woken: Woken) -> dict[str, Any]:
    return {"alertops.reason": woken.reason.value} if woken.reason else {}


def _read(session: Session, execution_id: UUID, query: Select[Any]) -> dict[str, Any]:
    """What the row says; nothing when it cannot be asked, or nobody would hear of it."""
    if not tracing.records(execution_id):
        return {}
    try:
        row = session.execute(query).mappings().one_or_none()
        session.rollback()
    except SQLAlchemyError:
        session.rollback()
        return {}
    return {f"alertops.{name}": value for name, value in (row or {}).items() if value is not None}


def _of_step(key: StepKey) -> Select[Any]:
    late = func.extract("epoch", Step.fired_at - Step.due_at).cast(Double)
    return select(late.label("lateness_seconds"), Step.node_index.label("node")).where(
        Step.execution_id == key.execution_id, Step.number == key.step
    )


def _of_attempt(key: AttemptKey) -> Select[Any]:
    late = func.extract("epoch", Attempt.finished_at - Attempt.due_at).cast(Double)
    return select(Attempt.channel, Attempt.status.label("outcome"), late.label("lateness_seconds")).where(
        Attempt.execution_id == key.execution_id,
        Attempt.step_number == key.step,
        Attempt.target_number == key.target,
        Attempt.number == key.attempt,
    )
