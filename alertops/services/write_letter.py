"""A letter is written: a row, sent from there as durably as an alert (`send_letter.py`)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.escalation.states import AttemptStatus
from alertops.models import Letter
from alertops.models.letter import LetterKind


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
