"""The transitions that an answer makes, guarded: "no row" says that somebody else was faster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from alertops.models import Invitation, Team
from alertops.models.invitation import OPEN, InvitationStatus


def lock_team_of(session: Session, invitation: Invitation) -> None:
    """Keep the team from being deleted until the transaction ends; whoever deletes it revokes first."""
    session.execute(select(Team.id).where(Team.id == invitation.team_id).with_for_update(read=True))


def accept_for_later(session: Session, invitation: Invitation) -> bool:
    """pending -> accepted."""
    values = {"status": InvitationStatus.ACCEPTED, "answered_at": func.clock_timestamp()}
    return _move(session, invitation, (InvitationStatus.PENDING,), values)


def end_invitation(
    session: Session,
    invitation: Invitation,
    to: InvitationStatus,
    *,
    only: Sequence[InvitationStatus] = OPEN,
) -> bool:
    """pending or accepted -> joined or declined."""
    now = func.clock_timestamp()
    answered = func.coalesce(Invitation.answered_at, now)
    return _move(session, invitation, only, {"status": to, "answered_at": answered, "ended_at": now})


def _move(
    session: Session,
    invitation: Invitation,
    came_from: Sequence[InvitationStatus],
    values: dict[str, Any],
) -> bool:
    moved = session.execute(
        update(Invitation)
        .where(Invitation.id == invitation.id, Invitation.status.in_(came_from), _lives())
        .values(values)
        .returning(Invitation.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    # Also for its role, which may have been changed since it was read.
    session.refresh(invitation)
    return moved is not None


def _lives() -> ColumnElement[bool]:
    return or_(Invitation.status == InvitationStatus.ACCEPTED, Invitation.expires_at > func.clock_timestamp())
