"""Tokens that are mailed: whoever has one reads what is sent to an address.

    mlt_<43 characters>          256 random bits, as base64url

They are made at the last moment, when a mail is claimed for sending, and only their hashes are kept. So no
token is at rest anywhere, but in the mailbox.
"""

from __future__ import annotations

import hashlib
from secrets import token_urlsafe
from typing import cast
from uuid import UUID

from sqlalchemy import Table, func, insert, select, update
from sqlalchemy.orm import Session

from alertops.models import Letter, MailToken
from alertops.models.letter import LetterKind
from alertops.services.prepared import Prepared

_INSERT = Prepared(
    "insert_mail_token", insert(cast(Table, MailToken.__table__)), "hash", "letter_id", "outsider_id"
)
_BYTES = 32
_PREFIX = "mlt_"  # lets people and scanners of secrets know one when they see it


def mint(session: Session, *, letter_id: UUID | None = None, outsider_id: UUID | None = None) -> str:
    """A new token of this letter, or for this outsider, good from the commit on."""
    token = f"{_PREFIX}{token_urlsafe(_BYTES)}"
    _INSERT.run(session, {"hash": hash_of(token), "letter_id": letter_id, "outsider_id": outsider_id})
    return token


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def find_letter(session: Session, token: str, kind: LetterKind) -> Letter | None:
    """The letter of this kind that the token came with, unless it has expired or was used."""
    return session.scalars(
        select(Letter)
        .join(MailToken, MailToken.letter_id == Letter.id)
        .where(
            MailToken.hash == hash_of(token),
            Letter.kind == kind,
            Letter.used_at.is_(None),
            Letter.expires_at > func.clock_timestamp(),
        )
    ).one_or_none()


def use_letter(session: Session, letter: Letter) -> bool:
    """Use it up, in the running transaction; False when somebody else was faster. The row stays locked."""
    used = session.execute(
        update(Letter)
        .where(Letter.id == letter.id, Letter.used_at.is_(None), Letter.expires_at > func.clock_timestamp())
        .values(used_at=func.clock_timestamp())
        .returning(Letter.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return used is not None
