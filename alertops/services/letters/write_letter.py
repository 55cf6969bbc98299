"""A letter is written: a row, sent from there as durably as an alert (`send_letter.py`)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.escalation.states import AttemptStatus
from alertops.models import Letter
from alertops.models.letter import LetterKind

# A letter that has been of no use for so long is forgotten; each that is written deletes a few.
KEPT = timedelta(days=30)
_SWEPT = 10


def write_letter(
    session: Session,
    kind: LetterKind,
    address: str,
    *,
    lifetime: timedelta,
    user_id: UUID | None = None,
    invitation_id: UUID | None = None,
    outsider_id: UUID | None = None,
    nobody: bool = False,
) -> Letter:
    """Write it, in the running transaction; the caller dispatches after the commit.

    Its tokens are good for `lifetime`. One for `nobody` is cancelled from the beginning: it is there so that
    asking for a letter is the same work whether or not there is an account.
    """
    _sweep(session)
    now = func.clock_timestamp()
    return session.scalars(
        insert(Letter)
        .values(
            kind=kind,
            address=address,
            user_id=user_id,
            invitation_id=invitation_id,
            outsider_id=outsider_id,
            status=AttemptStatus.CANCELLED if nobody else AttemptStatus.SCHEDULED,
            finished_at=now if nobody else None,
            due_at=now,
            expires_at=now + lifetime,
        )
        .returning(Letter)
    ).one()


def _sweep(session: Session) -> None:
    """Delete some that expired long ago, with their tokens, but for those that somebody is at work on."""
    old = (
        select(Letter.id)
        .where(Letter.expires_at < func.clock_timestamp() - KEPT)
        .order_by(Letter.expires_at)
        .limit(_SWEPT)
        .with_for_update(skip_locked=True)
    )
    session.execute(delete(Letter).where(Letter.id.in_(old.scalar_subquery())))
