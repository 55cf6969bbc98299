"""A team with somebody in each role, a key of each kind, and two who are not in it (any more)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from flask import Flask
from sqlalchemy.orm import Session, sessionmaker

from alertops import models
from alertops.models import Membership, Team
from alertops.models.team import Role
from alertops.services.access import actor
from alertops.services.access.actor import Asking
from alertops.services.access.permissions import Action
from tests.integration.api_client import Person, person
from tests.integration.world import Queue


@dataclass(frozen=True)
class Crew:
    """The team's id, and its people by their roles."""

    team: UUID
    owner: Person
    admin: Person
    member: Person
    viewer: Person

    @property
    def path(self) -> str:
        return f"/teams/{self.team}"

    def of(self, role: Role | str) -> Person:
        found: Person = getattr(self, str(role))
        return found

    def member_path(self, somebody: Person) -> str:
        return f"{self.path}/members/{somebody.id}"


def crew(app: Flask, session: Session) -> Crew:
    """A new team of new people."""
    people = {str(role): person(app, role) for role in Role}
    team = UUID(people["owner"].make("/teams", {"name": "Operations"})["id"])
    for role in (Role.ADMIN, Role.MEMBER, Role.VIEWER):
        join(session, team, people[role], role)
    return Crew(team, **people)


def join(session: Session, team: UUID, somebody: Person, role: Role | str) -> None:
    session.add(Membership(team_id=team, user_id=somebody.id, role=role))
    session.commit()


def roles(session: Session, team: UUID) -> dict[UUID, str]:
    """Who is in the team, and what they are."""
    session.rollback()
    session.expire_all()
    members = session.query(Membership).filter_by(team_id=team)
    return {membership.user_id: membership.role for membership in members}


def audited(session: Session) -> list[str]:
    """What the audit log says was done, in order."""
    session.rollback()
    return [entry.action for entry in session.query(models.AuditEntry).order_by(models.AuditEntry.id)]


def asks(somebody: Person | UUID, action: Action) -> Asking:
    """What a view would show at the door."""
    user_id = somebody if isinstance(somebody, UUID) else somebody.id
    return Asking(actor.Person(user_id), action)


def team_queue(sessions: sessionmaker[Session], team: UUID) -> Queue:
    """Transactions that line up for the team's row."""
    return Queue(sessions, lambda holder: holder.get_one(Team, team, with_for_update={"key_share": True}))
