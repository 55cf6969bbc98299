"""What a letter is about, read when it is sent; and whether there is still a reason to send it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.models import Invitation, Letter, Outsider, Team, User
from alertops.models.invitation import InvitationStatus
from alertops.models.letter import LetterKind
from alertops.services.letters.letter_texts import LetterFacts


def facts_of(session: Session, letter: Letter, *, may_repeat: bool) -> LetterFacts | None:
    """The facts; None when what the letter is about is over: it has expired, was used, or answered."""
    lives = session.scalar(select(Letter.expires_at > func.clock_timestamp()).where(Letter.id == letter.id))
    more = _about(session, letter) if lives and letter.used_at is None else None
    if more is None:
        return None
    return LetterFacts(
        LetterKind(letter.kind), letter.address, letter.expires_at, may_repeat=may_repeat, **more
    )


def _about(session: Session, letter: Letter) -> dict[str, Any] | None:
    if letter.user_id is not None:
        return _of_user(session, letter)
    if letter.invitation_id is not None:
        return _of_invitation(session, letter)
    return _of_outsider(session, letter)


def _of_user(session: Session, letter: Letter) -> dict[str, Any] | None:
    name, verified = session.execute(
        select(
            User.name,
            (func.lower(User.email) == func.lower(letter.address)) & User.email_verified_at.is_not(None),
        ).where(User.id == letter.user_id)
    ).one()
    if verified and letter.kind == LetterKind.VERIFY_ADDRESS:
        return None
    return {"user_name": name}


def _of_invitation(session: Session, letter: Letter) -> dict[str, Any] | None:
    row = session.execute(
        select(Team.name, Invitation.role, User.name)
        .join(Team, Team.id == Invitation.team_id)
        .outerjoin(User, User.id == Invitation.invited_by)
        .where(Invitation.id == letter.invitation_id, Invitation.status == InvitationStatus.PENDING)
    ).one_or_none()
    if row is None:
        return None
    return {"team_name": row[0], "role": row[1], "inviter_name": row[2] or ""}


def _of_outsider(session: Session, letter: Letter) -> dict[str, Any] | None:
    name = session.scalar(
        select(Team.name)
        .join(Outsider, Outsider.team_id == Team.id)
        .where(Outsider.id == letter.outsider_id, Team.deleted_at.is_(None))
    )
    return None if name is None else {"team_name": name}
