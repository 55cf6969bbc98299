"""A team invites an address, whether or not it has an account.

The answer is the same in both cases, so that inviting tells nobody who has one. The invitation is the team's:
it stands when whoever wrote it leaves, and anybody who manages members can change or revoke it.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.errors import ConflictError, InvalidInputError
from alertops.models import Invitation, Membership, Team, User
from alertops.models.invitation import OPEN, InvitationStatus
from alertops.models.letter import LetterKind
from alertops.models.team import Role
from alertops.services.access.actor import Actor
from alertops.services.access.audit import audit
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.throttle import take
from alertops.services.dispatch import Dispatcher, LetterWakeUp
from alertops.services.letters.write_letter import write_letter
from alertops.services.teams.locked_team import keep_team

LIFETIME = timedelta(days=14)
# Of one team, at the same time: more are waiting for an answer than anybody looks after.
MAX_OPEN = 500


def invite(
    session: Session,
    dispatcher: Dispatcher,
    limits: Limits,
    team: Team,
    actor: Actor,
    *,
    email: str,
    role: str,
) -> Invitation:
    """Write the invitation and its letter, commit, and dispatch the letter.

    `ConflictError` when the address is a member's, or has an open invitation of this team already;
    `ThrottledError` when the team, or anybody, has sent the address too much lately.
    """
    team_id = team.id
    refuse_owner(role)
    take(session, limits.team_letter(team_id, email))
    keep_team(session, team_id)
    _refuse_member(session, team_id, email)
    _close_expired(session, team_id, email)
    _refuse_too_many(session, team_id)
    invitation = _insert(session, team_id, actor, email, role)
    if invitation is None:
        raise _already_invited(session, team_id, email)
    letter = write_letter(
        session, LetterKind.INVITATION, email, lifetime=LIFETIME, invitation_id=invitation.id
    )
    audit(session, team_id, actor, "invitation.sent", invitation.id, after={"email": email, "role": role})
    session.commit()
    dispatcher.dispatch(session, [LetterWakeUp(letter.id, letter.due_at)])
    return invitation


def refuse_owner(role: str) -> None:
    """Raise `InvalidInputError` for the one role that is not given by invitation."""
    if role == Role.OWNER:
        raise InvalidInputError(
            "/role", "Ownership is handed over to a member; invite them as something else."
        )


def _refuse_member(session: Session, team_id: UUID, email: str) -> None:
    found = session.execute(
        select(Membership.user_id, Membership.role)
        .join(User, User.id == Membership.user_id)
        .where(Membership.team_id == team_id, func.lower(User.email) == func.lower(email))
    ).one_or_none()
    if found is not None:
        session.rollback()
        raise ConflictError(
            "This address is a member's already; a member's role is changed at the member.",
            user_id=str(found.user_id),
            role=found.role,
        )


def _close_expired(session: Session, team_id: UUID, email: str) -> None:
    """pending, and over -> expired: it makes room for another one to the same address."""
    session.execute(
        update(Invitation)
        .where(
            Invitation.team_id == team_id,
            func.lower(Invitation.email) == func.lower(email),
            Invitation.status == InvitationStatus.PENDING,
            Invitation.expires_at <= func.clock_timestamp(),
        )
        .values(status=InvitationStatus.EXPIRED, ended_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )


def _refuse_too_many(session: Session, team_id: UUID) -> None:
    count = session.scalar(
        select(func.count()).where(Invitation.team_id == team_id, Invitation.status.in_(OPEN))
    )
    if (count or 0) >= MAX_OPEN:
        session.rollback()
        raise ConflictError(f"The team has {MAX_OPEN} open invitations; revoke some first.", count=count)


def _insert(session: Session, team_id: UUID, actor: Actor, email: str, role: str) -> Invitation | None:
    """The new row, or None: the unique index lets one of those through who invite an address at once."""
    return session.scalars(
        insert(Invitation)
        .values(
            team_id=team_id,
            email=email,
            role=role,
            status=InvitationStatus.PENDING,
            invited_by=actor.id,
            expires_at=func.clock_timestamp() + LIFETIME,
        )
        .on_conflict_do_nothing(
            index_elements=[Invitation.team_id, func.lower(Invitation.email)],
            index_where=Invitation.status.in_(OPEN),
        )
        .returning(Invitation)
    ).one_or_none()


def _already_invited(session: Session, team_id: UUID, email: str) -> ConflictError:
    found = session.scalars(
        select(Invitation).where(
            Invitation.team_id == team_id,
            func.lower(Invitation.email) == func.lower(email),
            Invitation.status.in_(OPEN),
        )
    ).one_or_none()
    session.rollback()
    facts = (
        {} if found is None else {"invitation_id": str(found.id), "status": found.status, "role": found.role}
    )
    return ConflictError(
        "This address is invited already: send that again, change its role, or revoke it.", **facts
    )
