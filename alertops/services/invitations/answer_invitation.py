"""Somebody answers an invitation: with the token that was mailed, or as whom it was for.

Who has the token reads what is sent to the invited address. That is enough to say yes or no, but not to be
somebody: the address may have no account, or one that another person has opened, who has never proved it.
So the answer says who the yes is good for::

    yes, by token, nobody logged in
        the address has an account that has proved it ──▶ joined
        it has none, or one that has not proved it    ──▶ accepted: put into effect when somebody proves it
    yes, by token, logged in
        as the account with this address              ──▶ joined; and this proves the address
        as somebody else                              ──▶ refused
    yes, logged in, without the token                 ──▶ joined, if the address is theirs, and proved
    no, in any of these ways                          ──▶ declined

Lock order: the row of the user who is logged in, the team's, the invitation's. The first makes one user's
answers to several invitations take turns. The second keeps the team's deletion out. The third makes one of
those who answer at once the first: each answer is an UPDATE that only holds for an open invitation.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.errors import ConflictError
from alertops.models import Invitation, User
from alertops.models.actor_kind import ActorKind
from alertops.models.invitation import InvitationStatus
from alertops.services.access.actor import Person, TokenHolder
from alertops.services.access.audit import audit
from alertops.services.accounts.open_session import Client
from alertops.services.accounts.prove_address import prove_address
from alertops.services.invitations.end_invitation import accept_for_later, end_invitation, lock_team_of
from alertops.services.teams.join_team import join_team

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Answerer:
    """Who answers, and from where: somebody who is logged in, or (None) whoever has the token."""

    user: User | None
    has_token: bool
    client: Client


def accept_invitation(session: Session, invitation: Invitation, by: Answerer) -> None:
    """Join the team, or have it remembered that whoever proves the address wants to; commit.

    `ConflictError` when the invitation is not open (any more), or is for another account.
    """
    _begin(session, invitation, by)
    user = by.user or _account_that_proved(session, invitation)
    if user is None:
        _accept_for_later(session, invitation, by)
    else:
        _join(session, invitation, user, by)
    session.commit()
    log.info("invitation_accepted", invitation=str(invitation.id), status=invitation.status)


def decline_invitation(session: Session, invitation: Invitation, by: Answerer) -> None:
    """Say no, and commit. `ConflictError` as for a yes."""
    _begin(session, invitation, by)
    _require(session, invitation, end_invitation(session, invitation, InvitationStatus.DECLINED))
    actor = (
        Person(by.user.id, by.client) if by.user else TokenHolder(ActorKind.INVITEE, invitation.id, by.client)
    )
    audit(session, invitation.team_id, actor, "invitation.declined", invitation.id)
    session.commit()
    log.info("invitation_declined", invitation=str(invitation.id))


def _begin(session: Session, invitation: Invitation, by: Answerer) -> None:
    if by.user is not None and by.user.email.lower() != invitation.email.lower():
        session.rollback()
        raise ConflictError(
            "This invitation is for another address than your account's. Log in as the account that has it, "
            "change your address to it, or ask to be invited at yours."
        )
    if by.user is not None:
        session.execute(select(User.id).where(User.id == by.user.id).with_for_update(key_share=True))
    lock_team_of(session, invitation)


def _account_that_proved(session: Session, invitation: Invitation) -> User | None:
    return session.scalars(
        select(User).where(
            func.lower(User.email) == func.lower(invitation.email), User.email_verified_at.is_not(None)
        )
    ).one_or_none()


def _accept_for_later(session: Session, invitation: Invitation, by: Answerer) -> None:
    _require(session, invitation, accept_for_later(session, invitation))
    audit(
        session,
        invitation.team_id,
        TokenHolder(ActorKind.INVITEE, invitation.id, by.client),
        "invitation.accepted",
        invitation.id,
    )


def _join(session: Session, invitation: Invitation, user: User, by: Answerer) -> None:
    _require(session, invitation, end_invitation(session, invitation, InvitationStatus.JOINED))
    join_team(session, invitation, Person(user.id, by.client))
    if by.user is not None and by.has_token:
        prove_address(session, user, by.client)


def _require(session: Session, invitation: Invitation, moved: bool) -> None:
    """Refuse what came second."""
    if moved:
        return
    status = invitation.status
    session.rollback()
    over = status == InvitationStatus.PENDING
    sentence = (
        "The invitation has expired; ask for another." if over else f"The invitation is {status} already."
    )
    raise ConflictError(sentence, status="expired" if over else status)
