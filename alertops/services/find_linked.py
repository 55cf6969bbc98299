"""From the link that an alert brought to what it is about, and to who holds it.

A link is good for seven days from the firing of its step, by the database's clock. Its holder must be who was
told: the address is that of a member of the team now, or it was no member's when it was told. So whoever was
removed from the team finds nothing behind an old mail. An outsider who has asked for no more alerts may still
answer this one: it was their wish, and nobody has taken anything from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from alertops.answer_links import LinkedTarget
from alertops.db import database_now
from alertops.errors import GoneError
from alertops.models import Attempt, Execution, Membership, Step, User
from alertops.models.actor_kind import ActorKind
from alertops.services.access.actor import LinkHolder
from alertops.services.access.wall import raise_the_wall
from alertops.services.accounts.open_session import Client

LIFETIME = timedelta(days=7)

_DELETED = "What this link was about has been deleted."
_EXPIRED = "This link has expired."
_NOT_IN_TEAM = "The address that this link was sent to does not belong to the team any more."


@dataclass(frozen=True)
class Linked:
    """The execution, who holds the link to it, and until when the link is good."""

    execution: Execution
    holder: LinkHolder
    step: int
    good_until: datetime


def find_linked(session: Session, target: LinkedTarget, client: Client) -> Linked:
    """What the link is about; the session sees nothing but that team's from here on.

    Raises `GoneError`, with a sentence for its holder, when the link has expired or they are not in the team
    any more.
    """
    told = _told(session, target)
    if told is None:
        raise GoneError(_DELETED)
    execution, step, attempt = told
    good_until = (step.fired_at or step.due_at) + LIFETIME
    if database_now(session) > good_until:
        raise GoneError(_EXPIRED)
    holder = _holder(session, execution.team_id, attempt, client)
    raise_the_wall(session, holder)
    return Linked(execution, holder, target.step, good_until)


def _told(session: Session, target: LinkedTarget) -> Row[Execution, Step, Attempt] | None:
    """What told the target; the address is the same in all its attempts, so that any of them will do."""
    return session.execute(
        select(Execution, Step, Attempt)
        .join(Step, Step.execution_id == Execution.id)
        .join(Attempt, (Attempt.execution_id == Step.execution_id) & (Attempt.step_number == Step.number))
        .where(
            Execution.id == target.execution_id,
            Step.number == target.step,
            Attempt.target_number == target.target,
            Attempt.number == 1,
        )
    ).one_or_none()


def _holder(session: Session, team_id: UUID, attempt: Attempt, client: Client) -> LinkHolder:
    address, outsider_id = attempt.address, attempt.outsider_id
    member = _member(session, team_id, address, proved=outsider_id is not None)
    if member is not None:
        return LinkHolder(ActorKind.USER, member.id, team_id, address, member.name, client)
    if outsider_id is None:
        raise GoneError(_NOT_IN_TEAM)
    return LinkHolder(ActorKind.OUTSIDER, outsider_id, team_id, address, None, client)


def _member(session: Session, team_id: UUID, address: str, *, proved: bool) -> User | None:
    """The team's member with this address; an outsider's address may be claimed by who has not proved it."""
    query = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.team_id == team_id, func.lower(User.email) == func.lower(address))
    )
    if proved:
        query = query.where(User.email_verified_at.is_not(None))
    return session.scalars(query).one_or_none()
