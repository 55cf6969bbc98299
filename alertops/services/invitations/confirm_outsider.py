"""An address that is no member's may have to agree before it is alerted; and it can agree again after a stop.

::

    ask ──letter──▶ confirmed (and not stopped)        by the token of the letter, once
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from alertops.errors import NotFoundError
from alertops.escalation.recipients import all_singles
from alertops.models import Letter, Outsider
from alertops.models.actor_kind import ActorKind
from alertops.models.letter import LetterKind
from alertops.services.access.actor import Actor, TokenHolder
from alertops.services.access.audit import audit
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.open_session import Client
from alertops.services.accounts.throttle import may_take, take
from alertops.services.dispatch import Dispatcher, LetterWakeUp
from alertops.services.invitations.find_outsider import AddressedOutsider
from alertops.services.invitations.outsiders import outsider_of
from alertops.services.letters.mail_token import use_letter
from alertops.services.letters.write_letter import write_letter

LIFETIME = timedelta(days=7)


def ask_outsider(
    session: Session, dispatcher: Dispatcher, limits: Limits, outsider: Outsider, actor: Actor
) -> None:
    """Write a letter that asks, commit, and dispatch; `ThrottledError` after too many."""
    take(session, limits.team_letter(outsider.team_id, outsider.address))
    letter = _write(session, outsider.id, outsider.address)
    audit(session, outsider.team_id, actor, "outsider.asked", outsider.id)
    session.commit()
    dispatcher.dispatch(session, [LetterWakeUp(letter.id, letter.due_at)])


def ask_new_outsiders(
    session: Session,
    dispatcher: Dispatcher,
    limits: Limits,
    team_id: UUID,
    recipients: Iterable[Mapping[str, Any]],
) -> None:
    """Ask those addresses among the recipients that have not been asked yet, and need to be.

    After too many letters the rest is left out: they are told nothing, and can be asked one by one later.
    """
    for address in sorted({r["email"] for r in all_singles(recipients) if r["type"] == "email"}):
        known = outsider_of(session, team_id, address)
        if known is None or known.confirmed_at or known.stopped_at or _was_asked(session, known.id):
            session.commit()
            continue
        session.commit()
        if not may_take(session, limits.team_letter(team_id, address)):
            return
        letter = _write(session, known.id, address)
        session.commit()
        dispatcher.dispatch(session, [LetterWakeUp(letter.id, letter.due_at)])


def confirm_outsider(session: Session, addressed: AddressedOutsider, client: Client) -> None:
    """The address agrees; commit. `NotFoundError` when the letter's token was used in this moment."""
    outsider, letter = addressed.outsider, addressed.letter
    if letter is None or not use_letter(session, letter):
        session.rollback()
        raise NotFoundError("There is nothing to this token, or not any more.")
    session.execute(
        update(Outsider)
        .where(Outsider.id == outsider.id)
        .values(confirmed_at=func.clock_timestamp(), stopped_at=None)
        .execution_options(synchronize_session=False)
    )
    holder = TokenHolder(ActorKind.OUTSIDER, outsider.id, client)
    audit(session, outsider.team_id, holder, "outsider.confirmed", outsider.id)
    session.commit()
    session.refresh(outsider)


def _write(session: Session, outsider_id: UUID, address: str) -> Letter:
    return write_letter(
        session, LetterKind.CONFIRM_OUTSIDER, address, lifetime=LIFETIME, outsider_id=outsider_id
    )


def _was_asked(session: Session, outsider_id: UUID) -> bool:
    return bool(session.scalar(select(exists().where(Letter.outsider_id == outsider_id))))
