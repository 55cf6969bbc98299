"""Somebody becomes a member by invitation, in the transaction in which the invitation comes to its end."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.models import Invitation, Membership
from alertops.services.access.actor import Person
from alertops.services.access.audit import audit


def join_team(session: Session, invitation: Invitation, person: Person) -> None:
    """Make the person a member, with the role that the invitation has by now.

    Who is a member already, by another way, stays what they are: an invitation changes no role.
    """
    joined = session.execute(
        insert(Membership)
        .values(team_id=invitation.team_id, user_id=person.id, role=invitation.role)
        .on_conflict_do_nothing()
        .returning(Membership.role)
    ).one_or_none()
    if joined is not None:
        audit(
            session,
            invitation.team_id,
            person,
            "member.joined",
            person.id,
            after={"role": joined.role, "invitation_id": str(invitation.id)},
        )
