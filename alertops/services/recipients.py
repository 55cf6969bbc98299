"""What a recipient resolves to when its step fires: the addresses to try, now, on which channels.

Nobody is an answer too: a user who has left the team is told nothing, nor is an address that does not want to
be told, or has not said that it may be; and the escalation goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Membership, User
from alertops.services.invitations.outsiders import Refusal, outsider_of

NOT_A_MEMBER = "Not a member of this team."


@dataclass(frozen=True)
class Target:
    """A concrete address on a channel; with its row when it is no member's."""

    channel: str
    address: str
    outsider_id: UUID | None = None


@dataclass(frozen=True)
class Resolution:
    """The targets, in order; and if the recipient is an address that is not to be told, that, and why."""

    targets: list[Target]
    refused: tuple[str, Refusal] | None = None


def resolve_recipient(
    session: Session, team_id: UUID, recipient: Mapping[str, Any], *, confirmed_only: bool
) -> Resolution:
    """Resolve a node's recipient at this moment.

    With `confirmed_only`, addresses of others than members are told nothing before they have agreed to it.
    """
    match recipient["type"]:
        case "email":
            return _address(session, team_id, recipient["email"], confirmed_only=confirmed_only)
        case "user":
            return Resolution(_member(session, team_id, UUID(recipient["user_id"])))
        case "webhook":
            return Resolution([Target("webhook", recipient["url"])])
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


def _address(session: Session, team_id: UUID, address: str, *, confirmed_only: bool) -> Resolution:
    outsider = outsider_of(session, team_id, address)
    if outsider is None:
        return Resolution([Target("email", address)])
    refusal = outsider.refusal(confirmed_only=confirmed_only)
    if refusal is not None:
        return Resolution([], (address, refusal))
    return Resolution([Target("email", address, outsider.id)])


def _member(session: Session, team_id: UUID, user_id: UUID) -> list[Target]:
    found = session.scalars(
        select(User.email)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.team_id == team_id, User.id == user_id)
    )
    return [Target("email", address) for address in found]
