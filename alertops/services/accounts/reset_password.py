"""Somebody has forgotten their password: who reads what is sent to the account's address chooses another one.

Asking is the same work and the same answer whether or not there is an account: for none, a letter is written
that is for nobody.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from alertops.errors import InvalidInputError
from alertops.models import Letter, User
from alertops.models.letter import LetterKind
from alertops.services.accounts.end_sessions import end_all_sessions
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.open_session import Client
from alertops.services.accounts.passwords import hash_password
from alertops.services.accounts.prove_address import prove_address
from alertops.services.accounts.throttle import take
from alertops.services.accounts.verify_address import BAD_TOKEN
from alertops.services.dispatch import Dispatcher, LetterWakeUp
from alertops.services.letters.mail_token import find_letter, use_letter
from alertops.services.letters.write_letter import write_letter

LIFETIME = timedelta(hours=1)

log = structlog.get_logger(__name__)


def ask_to_reset(
    session: Session, dispatcher: Dispatcher, limits: Limits, *, email: str, client: Client
) -> None:
    """Write the letter, commit, dispatch; `ThrottledError` after too many, from here or to there."""
    take(session, limits.reset(email, client.address))
    user_id = session.scalar(select(User.id).where(func.lower(User.email) == func.lower(email)))
    letter = write_letter(
        session,
        LetterKind.RESET_PASSWORD,
        email,
        lifetime=LIFETIME,
        user_id=user_id,
        nobody=user_id is None,
    )
    session.commit()
    dispatcher.dispatch(session, [LetterWakeUp(letter.id, letter.due_at)])


def reset_password(session: Session, *, token: str, new_password: str, client: Client) -> None:
    """Change the password, end all sessions of the account, and commit; it has proved its address by this.

    `InvalidInputError` when the token is not good, or the account has another address by now.
    """
    letter = find_letter(session, token, LetterKind.RESET_PASSWORD)
    session.rollback()
    if letter is None:
        raise InvalidInputError("/token", BAD_TOKEN)
    new_hash = hash_password(new_password)  # takes long on purpose, so before the lock
    user = _lock_user(session, letter)
    if user is None or not use_letter(session, letter):
        session.rollback()
        raise InvalidInputError("/token", BAD_TOKEN)
    session.execute(
        update(User)
        .where(User.id == user.id)
        .values(password_hash=new_hash)
        .execution_options(synchronize_session=False)
    )
    end_all_sessions(session, user.id)
    prove_address(session, user, client)
    session.commit()
    log.info("password_reset", user=str(user.id))


def _lock_user(session: Session, letter: Letter) -> User | None:
    return session.scalars(
        select(User)
        .where(User.id == letter.user_id, func.lower(User.email) == func.lower(letter.address))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
