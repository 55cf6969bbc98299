"""Addresses that a team alerts and that are no member's: whether they may be told, and how they get a row.

An address is a member's when it is that of a member who has proved it. All others are outsiders: nobody has
shown that whoever reads there wants to be alerted, and each alert tells them how to stop it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Select, String, bindparam, exists, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.models import Membership, Outsider, User
from alertops.services.prepared import Prepared


class Refusal(StrEnum):
    """Why an address is not alerted."""

    STOPPED = "stopped"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True)
class Standing:
    """What an address that is no member's has said to a team. If it is new, it has no id yet."""

    id: UUID | None
    confirmed_at: datetime | None
    stopped_at: datetime | None

    def refusal(self, *, confirmed_only: bool) -> Refusal | None:
        """Why it is not alerted, or None: it is."""
        if self.stopped_at is not None:
            return Refusal.STOPPED
        if confirmed_only and self.confirmed_at is None:
            return Refusal.UNCONFIRMED
        return None


@dataclass(frozen=True)
class KnownOutsider(Standing):
    """The same of one that has its row."""

    id: UUID


def _standing() -> Select[*tuple[Any, ...]]:
    """One row, always: it is asked at each firing, so it is asked once, and made once."""
    team: BindParameter[UUID] = bindparam("team")
    folded = func.lower(bindparam("address", type_=String))
    is_member = (
        exists()
        .where(
            User.id == Membership.user_id,
            Membership.team_id == team,
            func.lower(User.email) == folded,
            User.email_verified_at.is_not(None),
        )
        .label("is_member")
    )
    here = (Outsider.team_id == team) & (func.lower(Outsider.address) == folded)
    one = select(literal(1).label("one")).subquery()
    return (
        select(is_member, Outsider.id, Outsider.confirmed_at, Outsider.stopped_at)
        .select_from(one)
        .outerjoin(Outsider, here)
    )


_STANDING = Prepared("read_standing", _standing())


def outsider_of(session: Session, team_id: UUID, address: str) -> KnownOutsider | None:
    """The row of the address, written now if it is new; None when it is a member's. Does not commit."""
    standing = look_up_outsider(session, team_id, address)
    if standing is None:
        return None
    if standing.id is None:
        return _insert(session, team_id, address)
    return KnownOutsider(standing.id, standing.confirmed_at, standing.stopped_at)


def look_up_outsider(session: Session, team_id: UUID, address: str) -> Standing | None:
    """What the address has said, if anything, and nothing is written; None when it is a member's."""
    row = _STANDING.run(session, {"team": team_id, "address": address}).one()
    return None if row.is_member else Standing(row.id, row.confirmed_at, row.stopped_at)


def _insert(session: Session, team_id: UUID, address: str) -> KnownOutsider:
    """The new row, or the one that somebody else wrote in this moment."""
    row = session.execute(
        insert(Outsider)
        .values(team_id=team_id, address=address)
        .on_conflict_do_update(
            index_elements=[Outsider.team_id, func.lower(Outsider.address)],
            # Changes nothing; but only a row that is updated is returned.
            set_={"address": Outsider.address},
        )
        .returning(Outsider.id, Outsider.confirmed_at, Outsider.stopped_at)
    ).one()
    return KnownOutsider(*row)
