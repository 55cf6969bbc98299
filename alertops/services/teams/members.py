"""The members of a team, as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from alertops.errors import NotFoundError
from alertops.models import Membership, User
from alertops.services.pages import Page, Place


@dataclass(frozen=True)
class Member:
    """Somebody in a team: since when, and what they may do there."""

    id: UUID
    name: str
    email: str
    email_verified: bool
    role: str
    since: datetime


def members_of(
    session: Session, team_id: UUID, *, limit: int, after: Place | None = None
) -> Page[Member, Place]:
    """The team's members, the newest last."""
    query = _members(team_id)
    if after is not None:
        query = query.where(tuple_(Membership.created_at, User.id) > (after.created_at, after.id))
    query = query.order_by(Membership.created_at, User.id).limit(limit + 1)
    # One row more than asked for tells whether there is a next page.
    rows = [Member(*row) for row in session.execute(query)]
    items = rows[:limit]
    return Page(items, Place(items[-1].since, items[-1].id) if len(rows) > limit else None)


def find_member(session: Session, team_id: UUID, user_id: UUID) -> Member:
    """The member; `NotFoundError` when the user is none."""
    row = session.execute(_members(team_id).where(User.id == user_id)).one_or_none()
    if row is None:
        raise NotFoundError("There is no such member in this team.")
    return Member(*row)


def find_membership(session: Session, team_id: UUID, user_id: UUID) -> Membership:
    """The membership as it is now, to change it; `NotFoundError` when there is none."""
    membership = session.get(Membership, (team_id, user_id), populate_existing=True)
    if membership is None:
        raise NotFoundError("There is no such member in this team.")
    return membership


def _members(team_id: UUID) -> Select[UUID, str, str, bool, str, datetime]:
    return (
        select(
            User.id,
            User.name,
            User.email,
            User.email_verified_at.is_not(None),
            Membership.role,
            Membership.created_at,
        )
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.team_id == team_id)
    )
