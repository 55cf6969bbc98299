"""What a recipient resolves to when its step fires: the addresses to try, now, on which channels.

Nobody is an answer too: a user who has left the team is told nothing, and the escalation goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Membership, User

NOT_A_MEMBER = "Not a member of this team."


@dataclass(frozen=True)
class Target:
    """A concrete address on a channel."""

    channel: str
    address: str


def resolve_recipient(session: Session, team_id: UUID, recipient: Mapping[str, Any]) -> list[Target]:
    """The targets of a node's recipient at this moment, in order."""
    match recipient["type"]:
        case "email":
            return [Target("email", recipient["email"])]
        case "user":
            return _member(session, team_id, UUID(recipient["user_id"]))
        case unknown:
            raise ValueError(f"a revision holds a recipient of the unknown type {unknown!r}")


def find_strangers(session: Session, team_id: UUID, recipients: Iterable[Mapping[str, Any]]) -> set[str]:
    """The ids of the users among the recipients who are not members of the team."""
    named = {recipient["user_id"] for recipient in recipients if recipient["type"] == "user"}
    if not named:
        return set()
    ids = [UUID(user_id) for user_id in named]
    members = session.scalars(
        select(Membership.user_id).where(Membership.team_id == team_id, Membership.user_id.in_(ids))
    )
    return named - {str(user_id) for user_id in members}


def _member(session: Session, team_id: UUID, user_id: UUID) -> list[Target]:
    found = session.scalars(
        select(User.email)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.team_id == team_id, User.id == user_id)
    )
    return [Target("email", address) for address in found]
