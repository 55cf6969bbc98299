"""What somebody accepted before they had an account is put into effect: they have proved that it is them.

Lock order: the user's row (the caller has it), then for each invitation its team's row, and its own.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.models import Invitation, User
from alertops.models.invitation import InvitationStatus
from alertops.services.access.actor import Person
from alertops.services.accounts.open_session import Client
from alertops.services.invitations.end_invitation import end_invitation, lock_team_of
from alertops.services.teams.join_team import join_team


def take_up_invitations(session: Session, user: User, client: Client) -> None:
    """Join every team whose invitation to the user's address was accepted; does not commit.

    What was declined stays declined, and what nobody has answered waits for an answer. Invitations to an
    address that the user had before are not looked at.
    """
    accepted = session.scalars(
        select(Invitation)
        .where(
            func.lower(Invitation.email) == func.lower(user.email),
            Invitation.status == InvitationStatus.ACCEPTED,
        )
        .order_by(Invitation.team_id)
    ).all()
    for invitation in accepted:
        lock_team_of(session, invitation)
        # Revoked in this moment, or the team deleted: then there is nothing to join.
        if end_invitation(session, invitation, InvitationStatus.JOINED, only=(InvitationStatus.ACCEPTED,)):
            join_team(session, invitation, Person(user.id, client))
