"""Finding an outsider by a token that was mailed: in an alert, or in a question whether there may be."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from alertops.errors import NotFoundError
from alertops.models import Letter, MailToken, Outsider, Team
from alertops.models.letter import LetterKind
from alertops.services.letters.mail_token import find_letter, hash_of


@dataclass(frozen=True)
class AddressedOutsider:
    """The outsider, the team that it is about, and the letter that asked, if one did."""

    outsider: Outsider
    team_name: str
    letter: Letter | None = None


def find_alerted(session: Session, token: str) -> AddressedOutsider:
    """Whom an alert with this token went to; `NotFoundError` when there was none."""
    of_token = select(MailToken.outsider_id).where(MailToken.hash == hash_of(token))
    return _found(session, Outsider.id == of_token.scalar_subquery())


def find_asked(session: Session, token: str) -> AddressedOutsider:
    """Whom a letter with this token asks; `NotFoundError` when none does, or not any more."""
    letter = find_letter(session, token, LetterKind.CONFIRM_OUTSIDER)
    if letter is None:
        raise _unknown()
    return _found(session, Outsider.id == letter.outsider_id, letter)


def _found(
    session: Session, condition: ColumnElement[bool], letter: Letter | None = None
) -> AddressedOutsider:
    row = session.execute(
        select(Outsider, Team.name).join(Team, Team.id == Outsider.team_id).where(condition)
    ).one_or_none()
    if row is None:
        raise _unknown()
    return AddressedOutsider(row[0], row[1], letter)


def _unknown() -> NotFoundError:
    return NotFoundError("There is nothing to this token, or not any more.")
