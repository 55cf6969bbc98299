"""An open invitation is sent again, is given another role, or is revoked.

::

    pending, accepted ──another role──▶ the same, with that role
    pending           ──sent again────▶ pending, for another while, with another letter
    pending, accepted ──revoked───────▶ revoked

Each is one guarded UPDATE. It waits for whoever is answering at the same moment, and then finds no open
invitation, or they find none: the row's lock makes one of them the first.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from alertops.errors import ConflictError
from alertops.models import Invitation
from alertops.models.invitation import OPEN, InvitationStatus
from alertops.models.letter import LetterKind
from alertops.services.access.actor import Actor
from alertops.services.access.audit import audit
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.throttle import take
from alertops.services.dispatch import Dispatcher, LetterWakeUp
from alertops.services.invitations.invite import LIFETIME, refuse_owner
from alertops.services.letters.write_letter import write_letter


def resend_invitation(
    session: Session, dispatcher: Dispatcher, limits: Limits, invitation: Invitation, actor: Actor
) -> None:
    """Write another letter, let the invitation live for another while, commit, and dispatch.

    Also when it is over for want of an answer. The tokens of earlier letters stay good as long as they would
    have been. `ConflictError` when it was answered or revoked; `ThrottledError` after too many letters.
    """
    take(session, limits.team_letter(invitation.team_id, invitation.email))
    _change(
        session,
        invitation,
        (InvitationStatus.PENDING,),
        {"expires_at": func.clock_timestamp() + LIFETIME},
    )
    letter = write_letter(
        session, LetterKind.INVITATION, invitation.email, lifetime=LIFETIME, invitation_id=invitation.id
    )
    audit(session, invitation.team_id, actor, "invitation.sent_again", invitation.id)
    session.commit()
    dispatcher.dispatch(session, [LetterWakeUp(letter.id, letter.due_at)])


def change_invitation(session: Session, invitation: Invitation, actor: Actor, *, role: str) -> None:
    """Offer another role than before, and commit; `ConflictError` when it is not open."""
    refuse_owner(role)
    before = invitation.role
    _change(session, invitation, OPEN, {"role": role})
    if role != before:
        audit(
            session,
            invitation.team_id,
            actor,
            "invitation.changed",
            invitation.id,
            before={"role": before},
            after={"role": role},
        )
    session.commit()


def revoke_invitation(session: Session, invitation: Invitation, actor: Actor) -> None:
    """End it and commit; safe to repeat. `ConflictError` when it was answered for good."""
    if invitation.status == InvitationStatus.REVOKED:
        session.rollback()
        return
    ended = {"status": InvitationStatus.REVOKED, "ended_at": func.clock_timestamp()}
    _change(session, invitation, OPEN, ended)
    audit(session, invitation.team_id, actor, "invitation.revoked", invitation.id)
    session.commit()


def _change(
    session: Session,
    invitation: Invitation,
    allowed: tuple[InvitationStatus, ...],
    values: dict[str, Any],
) -> None:
    changed = session.execute(
        update(Invitation)
        .where(Invitation.id == invitation.id, Invitation.status.in_(allowed))
        .values(values)
        .returning(Invitation.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    session.refresh(invitation)
    if changed is None:
        status = invitation.status
        session.rollback()
        raise ConflictError(f"The invitation is {status}; that cannot be changed any more.", status=status)
