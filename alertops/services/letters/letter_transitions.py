"""Every change of a letter's state, as a guarded statement; each returns whether it was this caller's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

from alertops.escalation.states import AttemptStatus
from alertops.models import Letter

_now = func.clock_timestamp


def lock_letter(session: Session, letter_id: UUID) -> Letter | None:
    """Lock the row until the transaction ends, and read it as it is now."""
    return session.scalars(
        select(Letter)
        .where(Letter.id == letter_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def claim_letter(session: Session, letter: Letter, lease_seconds: float, *, may_repeat: bool) -> bool:
    """scheduled and due, or sending with an expired lease -> sending, under the next claim number."""
    due = (Letter.status == AttemptStatus.SCHEDULED) & (Letter.due_at <= _now())
    abandoned = (Letter.status == AttemptStatus.SENDING) & (Letter.lease_until <= _now())
    return _change(
        session,
        letter.id,
        letter.claim_number,
        due | abandoned,
        {
            "status": AttemptStatus.SENDING,
            "claim_number": letter.claim_number + 1,
            "tries": letter.tries + 1,
            "lease_until": _now() + timedelta(seconds=lease_seconds),
            "transmit_at": None,
            "may_repeat": may_repeat,
            "recovery_count": 0,
        },
    )


def mark_transmit(session: Session, letter_id: UUID, claim: int, needed_seconds: float) -> bool:
    """sending under this claim, with enough of the lease left -> about to be transmitted."""
    enough = Letter.lease_until >= _now() + timedelta(seconds=needed_seconds)
    sending = Letter.status == AttemptStatus.SENDING
    return _change(session, letter_id, claim, sending & enough, {"transmit_at": _now()})


def try_again(
    session: Session, letter_id: UUID, claim: int, pause: timedelta, detail: str, *, may_repeat: bool
) -> bool:
    """sending under this claim -> scheduled, due after the pause."""
    values = {
        "status": AttemptStatus.SCHEDULED,
        "due_at": _now() + pause,
        "lease_until": None,
        # Whether anything may have arrived is what `may_repeat` says from now on.
        "transmit_at": None,
        "detail": detail,
        "may_repeat": may_repeat,
        "dispatched_at": None,
    }
    return _change(session, letter_id, claim, Letter.status == AttemptStatus.SENDING, values)


def end_letter(session: Session, letter_id: UUID, claim: int, to: AttemptStatus, detail: str) -> bool:
    """scheduled, or sending under this claim -> delivered, failed, unknown or cancelled."""
    unfinished = Letter.status.in_((AttemptStatus.SCHEDULED, AttemptStatus.SENDING))
    values = {"status": to, "finished_at": _now(), "detail": detail}
    return _change(session, letter_id, claim, unfinished, values)


def _change(session: Session, letter_id: UUID, claim: int, guard: Any, values: dict[str, Any]) -> bool:
    result: CursorResult[Any] = session.execute(  # type: ignore[assignment]  # an UPDATE gives a cursor's result
        update(Letter)
        .where(Letter.id == letter_id, Letter.claim_number == claim, guard)
        .values(values)
        .execution_options(synchronize_session=False)
    )
    return result.rowcount == 1
