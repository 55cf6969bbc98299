"""Somebody opens an account, and is answered the same whether or not the address has one.

::

    the address is new              ──▶ an account; a letter asks whether the address is theirs
    it has an account               ──▶ nothing changes; a letter tells whose it is
    with the token of an invitation ──▶ an account whose address is proved by that, and a member of the team;
                                        one that has never proved it, whoever opened it, is given over

The account can be used at once; what takes a proof waits for it.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.errors import InvalidInputError
from alertops.models import Invitation, Letter, User
from alertops.models.invitation import OPEN, InvitationStatus
from alertops.models.letter import LetterKind
from alertops.services.access.actor import Person
from alertops.services.accounts.end_sessions import end_all_sessions
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.open_session import Client
from alertops.services.accounts.passwords import hash_password
from alertops.services.accounts.prove_address import prove_address
from alertops.services.accounts.throttle import may_take, take
from alertops.services.dispatch import Dispatcher, LetterWakeUp
from alertops.services.invitations.end_invitation import end_invitation, lock_team_of
from alertops.services.letters.mail_token import find_letter
from alertops.services.letters.write_letter import write_letter
from alertops.services.teams.join_team import join_team

# How long a letter about an account can be answered.
LIFETIME = timedelta(days=3)

log = structlog.get_logger(__name__)


def register_user(
    session: Session,
    dispatcher: Dispatcher,
    limits: Limits,
    *,
    email: str,
    name: str,
    password: str,
    client: Client,
    invitation_token: str | None = None,
) -> None:
    """Open the account if the address, in any case, has none; write the letter; commit; dispatch.

    `ThrottledError` when too many were registered lately from this client's address, or as this one;
    `InvalidInputError` for a token that is not of an invitation to this address.

    The unique index decides, not a look beforehand: of two that race, one gets the account.
    """
    take(session, limits.register(email, client.address))
    invitation = None if invitation_token is None else _invitation_of(session, invitation_token, email)
    session.rollback()
    new = {"email": email, "name": name, "password_hash": hash_password(password)}
    # Too many letters to this address: the account is opened all the same, and can ask for one later.
    with_letter = may_take(session, limits.letter(email))
    created = session.scalars(
        insert(User)
        .values(new)
        .on_conflict_do_nothing(index_elements=[func.lower(User.email)])
        .returning(User.id)
    ).one_or_none()
    owner = _owner_of(session, email)
    if invitation is not None and owner.email_verified_at is None:
        _give_over(session, owner, new, invitation, client)
        with_letter = False
    letter = _write(session, owner, known=created is None) if with_letter else None
    session.commit()
    log.info("registered", user=str(owner.id), new=created is not None)
    if letter is not None:
        dispatcher.dispatch(session, [LetterWakeUp(letter.id, letter.due_at)])


def _invitation_of(session: Session, token: str, email: str) -> Invitation:
    letter = find_letter(session, token, LetterKind.INVITATION)
    if letter is not None and letter.address.lower() == email.lower():
        invitation = session.get_one(Invitation, letter.invitation_id)
        if invitation.status in OPEN:
            return invitation
    session.rollback()
    raise InvalidInputError("/invitation_token", "Not the token of an open invitation to this address.")


def _owner_of(session: Session, email: str) -> User:
    """Locked, so that nobody proves the address while it is given over to somebody else."""
    return session.scalars(
        select(User)
        .where(func.lower(User.email) == func.lower(email))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def _give_over(
    session: Session, user: User, new: dict[str, str], invitation: Invitation, client: Client
) -> None:
    """The account is that of whoever has the token, and of nobody who was logged in to it before."""
    session.execute(
        update(User).where(User.id == user.id).values(new).execution_options(synchronize_session=False)
    )
    end_all_sessions(session, user.id)
    lock_team_of(session, invitation)
    if end_invitation(session, invitation, InvitationStatus.JOINED):
        join_team(session, invitation, Person(user.id, client))
    prove_address(session, user, client)


def _write(session: Session, owner: User, *, known: bool) -> Letter:
    kind = LetterKind.ADDRESS_TAKEN if known else LetterKind.VERIFY_ADDRESS
    return write_letter(session, kind, owner.email, lifetime=LIFETIME, user_id=owner.id)
