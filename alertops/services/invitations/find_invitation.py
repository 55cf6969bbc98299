"""Finding an invitation: by the token that was mailed, or among those to one's own address."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from alertops.errors import NotFoundError
from alertops.models import Invitation, Team, User
from alertops.models.invitation import InvitationStatus
from alertops.models.letter import LetterKind
from alertops.services.letters.mail_token import find_letter

# To one address, from all teams: as many are shown.
SHOWN = 100


@dataclass(frozen=True)
class ShownInvitation:
    """An invitation as whom it is for sees it: who invites, into what."""

    invitation: Invitation
    team_name: str
    inviter_name: str | None


def find_by_token(session: Session, token: str) -> ShownInvitation:
    """The invitation whose letter has this token; `NotFoundError`, in the same words, for all others."""
    letter = find_letter(session, token, LetterKind.INVITATION)
    found = None
    if letter is not None:
        found = _shown(session, Invitation.id == letter.invitation_id)
    if not found:
        raise NotFoundError("There is no invitation with this token, or it has expired.")
    return found[0]


def open_invitations_to(session: Session, user: User) -> list[ShownInvitation]:
    """The open invitations to the user's address, the newest first: none until the address is proved."""
    if user.email_verified_at is None:
        return []
    return _shown(session, _open_to(user))


def find_own(session: Session, user: User, invitation_id: UUID) -> ShownInvitation:
    """One of these; `NotFoundError` for every other."""
    found = _shown(session, and_(Invitation.id == invitation_id, _to(user)))
    if user.email_verified_at is None or not found:
        raise NotFoundError("There is no such invitation, or none that you may see.")
    return found[0]


def _to(user: User) -> ColumnElement[bool]:
    return func.lower(Invitation.email) == func.lower(user.email)


def _open_to(user: User) -> ColumnElement[bool]:
    waits = and_(
        Invitation.status == InvitationStatus.PENDING, Invitation.expires_at > func.clock_timestamp()
    )
    return and_(_to(user), or_(waits, Invitation.status == InvitationStatus.ACCEPTED))


def _shown(session: Session, condition: ColumnElement[bool]) -> list[ShownInvitation]:
    rows = session.execute(
        select(Invitation, Team.name, User.name)
        .join(Team, Team.id == Invitation.team_id)
        .outerjoin(User, User.id == Invitation.invited_by)
        .where(condition)
        .order_by(Invitation.created_at.desc(), Invitation.id)
        .limit(SHOWN)
    )
    return [ShownInvitation(*row) for row in rows]
