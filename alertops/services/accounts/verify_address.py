"""An account proves its address, or takes another one, with a token that was mailed there.

It takes both, the login and the token. With the token alone, who reads a mail that they have not asked for
could make an account genuine that somebody else has opened with their address, and knows the password of
(pre-hijacking: Sudhodanan and Paverd, USENIX Security 2022).

::

    asked: a letter to the address, present or next ──token, logged in──▶ it is the account's, and proved
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from alertops.errors import ConflictError, InvalidInputError
from alertops.models import Letter, User
from alertops.models.letter import LetterKind
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.open_session import Client
from alertops.services.accounts.prove_address import prove_address
from alertops.services.accounts.prove_own import prove_own
from alertops.services.accounts.register_user import LIFETIME
from alertops.services.accounts.throttle import take
from alertops.services.dispatch import Dispatcher, LetterWakeUp
from alertops.services.letters.mail_token import find_letter, use_letter
from alertops.services.letters.write_letter import write_letter

BAD_TOKEN = "Not a token that is good here; it may have expired, or been used."  # noqa: S105  a sentence


def ask_to_verify(session: Session, dispatcher: Dispatcher, limits: Limits, user: User) -> None:
    """Write another letter to the account's address, commit, dispatch; `ConflictError` when it is proved."""
    if user.email_verified_at is not None:
        raise ConflictError("Your address is proved already.")
    take(session, limits.letter(user.email))
    _write(session, dispatcher, LetterKind.VERIFY_ADDRESS, user.email, user.id)


def ask_for_address(
    session: Session, dispatcher: Dispatcher, limits: Limits, user: User, *, email: str, password: str
) -> None:
    """Write a letter to the next address, commit, dispatch. Nothing changes until its token comes back.

    `InvalidInputError` for a wrong password. Whether the address is somebody else's is told to them alone.
    """
    user_id = user.id
    prove_own(session, limits, user_id, password, pointer="/password")
    session.commit()
    take(session, limits.letter(email))
    taken_by = session.scalar(select(User.id).where(func.lower(User.email) == func.lower(email)))
    if taken_by is None or taken_by == user_id:
        _write(session, dispatcher, LetterKind.VERIFY_ADDRESS, email, user_id)
    else:
        _write(session, dispatcher, LetterKind.ADDRESS_TAKEN, email, taken_by)


def verify_address(session: Session, user: User, token: str, client: Client) -> None:
    """Prove the address that the token was mailed to, and commit.

    `InvalidInputError` when the token is not good for this account; `ConflictError` when the address has
    become somebody else's. Other letters that ask the same are void from then on.
    """
    letter = find_letter(session, token, LetterKind.VERIFY_ADDRESS)
    session.execute(select(User.id).where(User.id == user.id).with_for_update(key_share=True))
    if letter is None or letter.user_id != user.id or not use_letter(session, letter):
        session.rollback()
        raise InvalidInputError("/token", BAD_TOKEN)
    try:
        _take_address(session, user, letter.address)
    except IntegrityError as error:
        session.rollback()
        raise ConflictError("There is another account with this address by now.") from error
    _void_others(session, user.id)
    prove_address(session, user, client)
    session.commit()


def _take_address(session: Session, user: User, address: str) -> None:
    """Nothing, when it is the address that the account has."""
    session.execute(
        update(User)
        .where(User.id == user.id, func.lower(User.email) != func.lower(address))
        .values(email=address, email_verified_at=None)
        .execution_options(synchronize_session=False)
    )


def _void_others(session: Session, user_id: UUID) -> None:
    session.execute(
        update(Letter)
        .where(
            Letter.user_id == user_id,
            Letter.kind == LetterKind.VERIFY_ADDRESS,
            Letter.used_at.is_(None),
        )
        .values(used_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )


def _write(session: Session, dispatcher: Dispatcher, kind: LetterKind, address: str, user_id: UUID) -> None:
    letter = write_letter(session, kind, address, lifetime=LIFETIME, user_id=user_id)
    session.commit()
    dispatcher.dispatch(session, [LetterWakeUp(letter.id, letter.due_at)])
