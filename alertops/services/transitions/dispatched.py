"""Marks that wake-ups were published, and that the broker has them.

They need no lock: a locked row is skipped, as something is being done about it already.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ARRAY, Table, Update, and_, bindparam, func, select, update
from sqlalchemy.orm import Session

from alertops.models import Attempt, Letter, Step, Timer
from alertops.services.keys import AttemptKey, StepKey, TimerKey

_STEPS, _ATTEMPTS, _TIMERS, _LETTERS = (
    cast(Table, model.__table__) for model in (Step, Attempt, Timer, Letter)
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
_MARK_STEPS = _marking(_STEPS, *_STEP_KEY)
_MARK_ATTEMPTS = _marking(_ATTEMPTS, *_ATTEMPT_KEY)
_MARK_TIMERS = _marking(_TIMERS, *_STEP_KEY)
_MARK_LETTERS = _marking(_LETTERS, "id")


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
