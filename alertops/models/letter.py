"""Letters: mails to people about accounts and teams, sent as durably as alerts.

What a letter is for is proved with the token in it, which is made when the letter is claimed for sending.
The row holds no secret, then, at any time, and neither does anything else: of a token only its hash is kept.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.escalation.states import UNFINISHED, AttemptStatus
from alertops.models.columns import CreatedAt, PrimaryId, length_of, one_of

_unfinished = ", ".join(f"'{status}'" for status in UNFINISHED)


class LetterKind(StrEnum):
    """What a letter is for."""

    VERIFY_ADDRESS = "verify_address"  # to a user: is this address, the present or the next one, yours?
    ADDRESS_TAKEN = "address_taken"  # to a user: somebody wanted to register with your address
    RESET_PASSWORD = "reset_password"  # noqa: S105  a word, not a password
    INVITATION = "invitation"
    CONFIRM_OUTSIDER = "confirm_outsider"  # to an address that is no member's: may we alert you?


class Letter(Base):
    """One letter, and how far its sending is. Its states are those of an attempt, in one row for all tries.

    A letter for nobody is cancelled from the beginning: it is written all the same, so that asking for one
    takes as long whether or not there is an account.
    """

    __tablename__ = "letters"

    id: Mapped[PrimaryId]
    kind: Mapped[str]
    address: Mapped[str]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    invitation_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("invitations.id", ondelete="CASCADE"), index=True
    )
    outsider_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("outsiders.id", ondelete="CASCADE"), index=True
    )
    status: Mapped[str]
    tries: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime]
    claim_number: Mapped[int] = mapped_column(server_default="0")
    lease_until: Mapped[datetime | None]
    transmit_at: Mapped[datetime | None]
    may_repeat: Mapped[bool] = mapped_column(server_default=text("false"))
    detail: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]
    # Until when its tokens are good, and when one of them was used: none is good a second time.
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    recovery_count: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        one_of("kind", LetterKind),
        one_of("status", AttemptStatus),
        length_of("address", 3, 254),
        CheckConstraint("(status = 'sending') <= (lease_until IS NOT NULL)", name="lease"),
        CheckConstraint(f"(status IN ({_unfinished})) = (finished_at IS NULL)", name="finished_at"),
        # What was over long ago is deleted, oldest first.
        Index("ix_letters_expires_at", "expires_at"),
        Index("ix_letters_failed", "finished_at", postgresql_where=text("status = 'failed'")),
        Index("ix_letters_scheduled_due_at", "due_at", postgresql_where=text("status = 'scheduled'")),
        Index("ix_letters_sending_lease", "lease_until", postgresql_where=text("status = 'sending'")),
        Index(
            "ix_letters_never_dispatched",
            "created_at",
            postgresql_where=text("status = 'scheduled' AND dispatched_at IS NULL"),
        ),
    )


class MailToken(Base):
    """The SHA-256 of a token that was mailed, and what it proves: that a letter arrived, or an alert.

    The token is random and 256 bits long: nothing can be guessed, so that no slow hash is needed.
    A letter that is sent again has another token; all of its tokens are good, until one is used.
    """

    __tablename__ = "mail_tokens"

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    letter_id: Mapped[UUID | None] = mapped_column(ForeignKey("letters.id", ondelete="CASCADE"), index=True)
    # In an alert to an address outside the team: the token that stops them.
    outsider_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("outsiders.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("octet_length(hash) = 32", name="hash"),
        CheckConstraint("num_nonnulls(letter_id, outsider_id) = 1", name="one_subject"),
        # Each alert to an outsider brings one; old ones are deleted, oldest first.
        Index(
            "ix_mail_tokens_outsider_created",
            "created_at",
            "hash",
            postgresql_where=text("outsider_id IS NOT NULL"),
        ),
    )
