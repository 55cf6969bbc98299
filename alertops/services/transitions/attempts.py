"""Transitions of attempts.

::

    (nothing) ──▶ scheduled ──claim──▶ sending ──mark──▶ sending, transmitted
                      │                   │  ▲                │        │
                      │                   │  └──claim, lease over──────┘
                      ▼                   ▼                   ▼
                  cancelled      delivered, failed, unknown, cancelled

What the holder of a claim writes is fenced by the claim's number and by its lease's id. The number says how
often it was claimed. It alone would not do: a claim is not flushed, so that a crash of the database can lose
it, and the next claim then has the same number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, Interval, Table, bindparam, func, insert, literal, select, update
from sqlalchemy.orm import Session

from alertops.db import UNFLUSHED
from alertops.escalation.states import AttemptStatus, ExecutionStatus
from alertops.models import Attempt, Execution
from alertops.services.keys import AttemptKey
from alertops.services.parameters import of_attempt
from alertops.services.prepared import Prepared
from alertops.services.transitions.guarded import changed, now
from alertops.services.under_lock import UnderLock

_ATTEMPTS = cast(Table, Attempt.__table__)
_EXECUTIONS = cast(Table, Execution.__table__)
_OF_EXECUTION = _ATTEMPTS.c.execution_id == bindparam("key_execution")
_IS = (
    _OF_EXECUTION
    & (_ATTEMPTS.c.step_number == bindparam("key_step"))
    & (_ATTEMPTS.c.target_number == bindparam("key_target"))
    & (_ATTEMPTS.c.number == bindparam("key_attempt"))
)
_SCHEDULED = _ATTEMPTS.c.status == AttemptStatus.SCHEDULED
_SENDING = _ATTEMPTS.c.status == AttemptStatus.SENDING
_SEEN = _ATTEMPTS.c.claim_number == bindparam("claim")
_LEASE = _ATTEMPTS.c.lease_id.is_not_distinct_from(bindparam("lease"))

_COLUMNS = (
    "execution_id",
    "step_number",
    "target_number",
    "number",
    "channel",
    "address",
    "outsider_id",
    "user_id",
    "due_at",
    "may_repeat",
)


def _insert_all() -> Prepared:
    """Any number of rows in one statement: a parameter is the list of a column's values."""
    arrays = [bindparam(name, type_=ARRAY(_ATTEMPTS.c[name].type)) for name in _COLUMNS]
    rows = func.unnest(*arrays).table_valued(*_COLUMNS).render_derived("new")
    status = literal(AttemptStatus.SCHEDULED).label("status")
    return Prepared(
        "insert_attempts",
        insert(_ATTEMPTS).from_select([*_COLUMNS, "status"], select(*rows.c, status)),
    )


_INSERT = _insert_all()
_CANCEL_SCHEDULED = (
    update(_ATTEMPTS)
    .where(_OF_EXECUTION, _SCHEDULED)
    .values(status=AttemptStatus.CANCELLED, finished_at=now())
)
_DUE = _SCHEDULED & (_ATTEMPTS.c.due_at <= now())
_ABANDONED = _SENDING & (_ATTEMPTS.c.lease_until <= now())
_CLAIM = Prepared(
    "claim_attempt",
    update(_ATTEMPTS)
    .where(_IS, _SEEN, _DUE | _ABANDONED)
    .values(
        status=AttemptStatus.SENDING,
        claim_number=_ATTEMPTS.c.claim_number + 1,
        lease_id=bindparam("new_lease"),
        lease_until=now() + bindparam("length", type_=Interval),
        transmit_at=None,
        may_repeat=bindparam("repeat"),
        # A lost lease is a new loss, whatever the wait before it was.
        recovery_count=0,
    )
    .returning(UNFLUSHED),
)
_GOES_ON = (
    (_EXECUTIONS.c.id == _ATTEMPTS.c.execution_id)
    & (_EXECUTIONS.c.status == ExecutionStatus.RUNNING)
    & (_EXECUTIONS.c.first_step <= bindparam("key_step"))
)
_MARK_TRANSMIT = UnderLock(
    "lock_and_mark_transmit",
    update(_ATTEMPTS)
    .where(
        _IS,
        _SENDING,
        _SEEN,
        _LEASE,
        _ATTEMPTS.c.lease_until >= now() + bindparam("needed", type_=Interval),
        _GOES_ON,
    )
    .values(transmit_at=now()),
)
_END = Prepared(
    "end_attempt",
    update(_ATTEMPTS)
    .where(_IS, _SCHEDULED | _SENDING, _SEEN, _LEASE)
    .values(status=bindparam("outcome"), finished_at=now(), detail=bindparam("said")),
)


@dataclass(frozen=True)
class NewAttempt:
    """A try to be made at a target, not before it is due."""

    key: AttemptKey
    channel: str
    address: str
    outsider_id: UUID | None
    user_id: UUID | None
    due_at: datetime
    may_repeat: bool = False


class Claimed(NamedTuple):
    """What fences: the number of a claim, and which lease it is. What nobody has claimed has no lease."""

    number: int
    lease_id: UUID | None


def insert_attempts(session: Session, attempts: Sequence[NewAttempt]) -> None:
    """(nothing) -> scheduled; there is at least one."""
    columns = zip(*(_row(attempt) for attempt in attempts), strict=True)
    _INSERT.run(session, {name: list(cells) for name, cells in zip(_COLUMNS, columns, strict=True)})


def cancel_scheduled_attempts(session: Session, execution_id: UUID) -> None:
    """scheduled -> cancelled. What is being sent stays: it is on its way."""
    session.execute(_CANCEL_SCHEDULED, {"key_execution": execution_id})


def claim_attempt(
    session: Session, key: AttemptKey, seen_claim: int, lease_seconds: float, *, may_repeat: bool
) -> Claimed | None:
    """scheduled and due, or sending with an expired lease -> sending, under the next claim number.

    The commit will not wait for the disk. Nothing that can be seen outside follows from a claim until the
    mark or the outcome is flushed, and the claim with it; lost in a crash before, it is refused there.
    """
    claimed = Claimed(seen_claim + 1, uuid4())
    values = {
        "claim": seen_claim,
        "new_lease": claimed.lease_id,
        "length": timedelta(seconds=lease_seconds),
        "repeat": may_repeat,
    }
    return claimed if changed(session, _CLAIM, of_attempt(key) | values) else None


def mark_transmit(session: Session, key: AttemptKey, claimed: Claimed, needed_seconds: float) -> bool:
    """sending under this claim, with enough of the lease left -> about to be transmitted.

    Only while nobody has answered, or handed the execution to others; locks it, in the same round trip.
    """
    values = of_attempt(key) | _fence(claimed) | {"needed": timedelta(seconds=needed_seconds)}
    return _MARK_TRANSMIT.run(session, key.execution_id, values).rowcount == 1


def end_attempt(
    session: Session, key: AttemptKey, claimed: Claimed, outcome: AttemptStatus, detail: str
) -> bool:
    """scheduled or sending under this claim -> delivered, failed, unknown or cancelled."""
    return changed(session, _END, of_attempt(key) | _fence(claimed) | {"outcome": outcome, "said": detail})


def _fence(claimed: Claimed) -> dict[str, Any]:
    return {"claim": claimed.number, "lease": claimed.lease_id}


def _row(attempt: NewAttempt) -> tuple[Any, ...]:
    """The values of `_COLUMNS`."""
    return (
        *attempt.key,
        attempt.channel,
        attempt.address,
        attempt.outsider_id,
        attempt.user_id,
        attempt.due_at,
        attempt.may_repeat,
    )
