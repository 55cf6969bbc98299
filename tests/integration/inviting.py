"""Invitations in tests: who invites, and the token that a mail would have brought."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.models import Invitation, Letter, User
from alertops.services.accounts.open_session import Client
from alertops.services.invitations.take_up_invitations import take_up_invitations
from alertops.services.letters.mail_token import mint
from tests.integration.api_client import API, Person, person


def invited(owner: Person, team: str, email: str, role: str = "member") -> str:
    """The id of an invitation to the address."""
    return str(owner.make(f"/teams/{team}/invitations", {"email": email, "role": role})["id"])


def mailed_token(session: Session, invitation_id: str) -> str:
    """A token of the newest letter, as the worker makes one when it sends it."""
    letter = session.scalars(
        select(Letter)
        .where(Letter.invitation_id == UUID(invitation_id))
        .order_by(Letter.created_at.desc(), Letter.id)
    ).first()
    assert letter is not None
    token = mint(session, letter_id=letter.id)
    session.commit()
    return token


def role_of(person: Person, team: str) -> str | None:
    """The role that the person sees that they have in the team; None when they are not in it."""
    memberships = (person.get("/me").json or {})["memberships"]
    return next((m["role"] for m in memberships if m["team_id"] == team), None)


def by_token(app: Flask, token: str, answer: str) -> Any:
    return app.test_client().post(f"{API}/invitations/{token}/{answer}")


def status_of(session: Session, invitation_id: str) -> str:
    session.rollback()
    return session.scalars(select(Invitation.status).where(Invitation.id == UUID(invitation_id))).one()


def opens_account(app: Flask, session: Session, name: str) -> Person:
    """Somebody registers, and then proves the address."""
    somebody = person(app, name)
    proves(session, somebody)
    return somebody


def proves(session: Session, somebody: Person) -> None:
    user = session.get_one(User, somebody.id)
    user.email_verified_at = func.clock_timestamp()
    session.flush()
    take_up_invitations(session, user, Client())
    session.commit()
