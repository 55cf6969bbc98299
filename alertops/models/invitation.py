"""Invitations into a team: to an address, whether or not it has an account."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.models.columns import CreatedAt, PrimaryId, length_of, one_of
from alertops.models.team import Role


class InvitationStatus(StrEnum):
    """How far an invitation is.

    ::

        pending ──accept, with an account──▶ joined
          │ │                                  ▲
          │ └─accept, before there is one─▶ accepted ─ the account is opened, and its address proved
          │                                  │
          └───────▶ declined | revoked ◀─────┘

    A pending one is over at `expires_at`, which is written down (`expired`) when the address is invited anew;
    until then it can be sent again, for another while. What was accepted does not expire.
    """

    PENDING = "pending"
    ACCEPTED = "accepted"
    JOINED = "joined"
    DECLINED = "declined"
    REVOKED = "revoked"
    EXPIRED = "expired"


OPEN = (InvitationStatus.PENDING, InvitationStatus.ACCEPTED)
OPEN_INVITATION_INDEX = "uq_invitations_open"

_open = ", ".join(f"'{status}'" for status in OPEN)


class Invitation(Base):
    __tablename__ = "invitations"

    id: Mapped[PrimaryId]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    email: Mapped[str]
    role: Mapped[str]
    status: Mapped[str]
    # No foreign key: who invited stays told when they have left.
    invited_by: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("status", InvitationStatus),
        # Ownership is handed over to a member, and not sent by mail.
        one_of("role", [role for role in Role if role is not Role.OWNER]),
        length_of("email", 3, 254),
        CheckConstraint(f"(status IN ({_open})) = (ended_at IS NULL)", name="ended_at"),
        Index("ix_invitations_team_created", "team_id", "created_at", "id"),
    )


# A team invites an address once at a time; of two who invite it at once, one does.
Index(
    OPEN_INVITATION_INDEX,
    Invitation.team_id,
    func.lower(Invitation.email),
    unique=True,
    postgresql_where=text(f"status IN ({_open})"),
)
# Who opens an account, or proves another address, is looked for among the invited.
Index(
    "ix_invitations_open_email",
    func.lower(Invitation.email),
    postgresql_where=text(f"status IN ({_open})"),
)
