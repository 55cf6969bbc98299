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

from sqlalchemy import Interval, Table, bindparam, insert, update
from sqlalchemy.orm import Session

from alertops.db import UNFLUSHED
from alertops.escalation.states import AttemptStatus
from alertops.models import Attempt
from alertops.services.keys import AttemptKey
from alertops.services.parameters import of_attempt
from alertops.services.prepared import Prepared
from alertops.services.transitions.guarded import changed, now

_ATTEMPTS = cast(Table, Attempt.__table__)
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

_INSERT = insert(_ATTEMPTS)
_CANCEL_SCHEDULED = (
    update(_ATTEMPTS)
    .where(_OF_EXECUTION, _SCHEDULED)
    .values(status=AttemptStatus.CANCELLED, finished_at=now())
)
_DUE = _SCHEDULED & (_ATTEMPTS.c.due_at <= now())
_ABANDONED = _SENDING & (_ATTEMPTS.c.lease_until <= now())
_CLAIM = Prepared(
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
    .returning(UNFLUSHED)
)
_MARK_TRANSMIT = Prepared(
    update(_ATTEMPTS)
    .where(
        _IS, _SENDING, _SEEN, _LEASE, _ATTEMPTS.c.lease_until >= now() + bindparam("needed", type_=Interval)
    )
    .values(transmit_at=now())
)
_END = Prepared(
    update(_ATTEMPTS)
    .where(_IS, _SCHEDULED | _SENDING, _SEEN, _LEASE)
    .values(status=bindparam("outcome"), finished_at=now(), detail=bindparam("said"))
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
    session.execute(_INSERT, [_row(attempt) for attempt in attempts])


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
    """sending under this claim, with enough of the lease left -> about to be transmitted."""
    needed = timedelta(seconds=needed_seconds)
    return changed(session, _MARK_TRANSMIT, of_attempt(key) | _fence(claimed) | {"needed": needed})


def end_attempt(
    session: Session, key: AttemptKey, claimed: Claimed, outcome: AttemptStatus, detail: str
) -> bool:
    """scheduled or sending under this claim -> delivered, failed, unknown or cancelled."""
    return changed(session, _END, of_attempt(key) | _fence(claimed) | {"outcome": outcome, "said": detail})


def _fence(claimed: Claimed) -> dict[str, Any]:
    return {"claim": claimed.number, "lease": claimed.lease_id}


def _row(attempt: NewAttempt) -> dict[str, Any]:
    return {
        "execution_id": attempt.key.execution_id,
        "step_number": attempt.key.step,
        "target_number": attempt.key.target,
        "number": attempt.key.attempt,
        "channel": attempt.channel,
        "address": attempt.address,
        "outsider_id": attempt.outsider_id,
        "user_id": attempt.user_id,
        "status": AttemptStatus.SCHEDULED,
        "due_at": attempt.due_at,
        "may_repeat": attempt.may_repeat,
    }
