"""Somebody wants to be called by another name."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from alertops.errors import NotFoundError
from alertops.models import User


def rename_user(session: Session, user_id: UUID, *, name: str) -> User:
    """Change the name and commit; `NotFoundError` when the account was deleted a moment ago."""
    user = session.scalars(
        update(User)
        .where(User.id == user_id)
        .values(name=name)
        .returning(User)
        .execution_options(populate_existing=True)
    ).one_or_none()
    session.commit()
    if user is None:
        raise NotFoundError("There is no such account any more.")
    return user
