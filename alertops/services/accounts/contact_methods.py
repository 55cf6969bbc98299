"""Somebody says how they want to be told; `services/recipients.py` reads it when a step fires.

The list is one value of one row: a step that fires meanwhile reads the old one or the new one, whole.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.errors import NotFoundError
from alertops.models import ContactMethods, User
from alertops.services.gone_webhooks import forget_gone_of_user

log = structlog.get_logger(__name__)


def contact_methods_of(session: Session, user_id: UUID) -> list[dict[str, Any]]:
    """The list as it was written; empty when the user has said nothing."""
    query = select(ContactMethods.methods).where(ContactMethods.user_id == user_id)
    return session.scalars(query).one_or_none() or []


def set_contact_methods(session: Session, user_id: UUID, methods: list[dict[str, Any]]) -> None:
    """Replace the list and commit; `NotFoundError` when the account was deleted a moment ago."""
    wanted = literal(methods, ContactMethods.methods.type)
    there_is = select(User.id, wanted).where(User.id == user_id).with_for_update(read=True, key_share=True)
    written = session.execute(
        insert(ContactMethods)
        .from_select(["user_id", "methods"], there_is)
        .on_conflict_do_update(index_elements=[ContactMethods.user_id], set_={"methods": wanted})
        .returning(ContactMethods.user_id)
    ).scalar_one_or_none()
    forget_gone_of_user(session, user_id, [method["url"] for method in methods if method.get("url")])
    session.commit()
    if written is None:
        raise NotFoundError("There is no such account any more.")
    log.info("contact_methods_set", user=str(user_id), channels=[method["channel"] for method in methods])
