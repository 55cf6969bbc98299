"""Invitations in tests: who invites, and the token that a mail would have brought."""

from __future__ import annotations

from uuid import UUID

from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from alertops.models import Letter, User
from alertops.services.mail_token import mint
from tests.integration.api_client import Person


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


def prove(app: Flask, person: Person, session: Session) -> None:
    """The person has proved the address at some time before."""
    session.execute(update(User).where(User.id == person.id).values(email_verified_at=func.clock_timestamp()))
    session.commit()


def role_of(person: Person, team: str) -> str | None:
    """The role that the person sees that they have in the team; None when they are not in it."""
    memberships = (person.get("/me").json or {})["memberships"]
    return next((m["role"] for m in memberships if m["team_id"] == team), None)
