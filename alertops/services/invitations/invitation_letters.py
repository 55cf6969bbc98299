"""Invitations with how the newest letter of each fared, for those who have sent them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from alertops.models import Invitation, Letter


@dataclass(frozen=True)
class SentInvitation:
    """An invitation, and the newest of its letters; None when that was long ago."""

    invitation: Invitation
    letter: Letter | None


def with_letters(session: Session, invitations: Sequence[Invitation]) -> list[SentInvitation]:
    """The same invitations in the same order. A letter is forgotten a while after it has expired."""
    newest = session.scalars(
        select(Letter)
        .where(Letter.invitation_id.in_([invitation.id for invitation in invitations]))
        .ext(distinct_on(Letter.invitation_id))
        .order_by(Letter.invitation_id, Letter.created_at.desc(), Letter.id)
    )
    by_invitation = {letter.invitation_id: letter for letter in newest}
    return [SentInvitation(invitation, by_invitation.get(invitation.id)) for invitation in invitations]
