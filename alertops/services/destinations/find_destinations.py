"""Destinations by their ids, for flows that name them and senders that need them."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Destination


def names_of(session: Session, team_id: UUID, ids: Collection[UUID]) -> dict[UUID, str]:
    """The names of those that are the team's; one that is not, or is no more, is left out."""
    if not ids:
        return {}
    here = select(Destination.id, Destination.name).where(
        Destination.team_id == team_id, Destination.id.in_(ids)
    )
    return {row.id: row.name for row in session.execute(here)}


def sealed_url_of(session: Session, team_id: UUID, destination_id: UUID) -> str | None:
    """Its URL, sealed, as it is now; None when it has been deleted."""
    return session.scalar(
        select(Destination.sealed).where(Destination.team_id == team_id, Destination.id == destination_id)
    )
