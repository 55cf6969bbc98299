"""A team makes a destination: a place that its flows can name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.channels.apprise.services import find_place
from alertops.errors import ConflictError, InvalidInputError
from alertops.models import Destination
from alertops.secret_box import SecretBox
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.teams.locked_team import locked_team

MAX_DESTINATIONS = 100


@dataclass(frozen=True)
class Keeper:
    """What a URL is kept with: what seals it, and the schemes that the operator allows."""

    box: SecretBox
    allowed: Collection[str]

    def kept(self, url: str) -> dict[str, str]:
        """The columns that keep the URL; raises `InvalidInputError` when it names no place."""
        try:
            place = find_place(url, self.allowed)
        except ValueError as error:
            raise InvalidInputError("/url", str(error)) from None
        return {"shown": place.shown, "sealed": self.box.seal(url)}


def make_destination(
    session: Session, asking: Asking, team_id: UUID, keeper: Keeper, *, name: str, url: str
) -> Destination:
    """Make it and commit. Nothing is sent to it.

    Raises `InvalidInputError`, and `ConflictError` when the team has one of this name, or as many as it may.
    """
    with locked_team(session, asking, team_id):
        kept = keeper.kept(url)
        require_name_free(session, team_id, name)
        _require_room(session, team_id)
        made = Destination(team_id=team_id, name=name, created_by=asking.actor.id, **kept)
        session.add(made)
        session.flush()
        session.refresh(made)
        audit(session, team_id, asking.actor, "destination.made", made.id, after=told_of(made))
    return made


def told_of(destination: Destination) -> dict[str, Any]:
    """What the audit log says of it."""
    return {"name": destination.name, "url": destination.shown}


def require_name_free(session: Session, team_id: UUID, name: str) -> None:
    """Under the team's lock, so that of two who take a name at once, one does."""
    taken = select(Destination.id).where(Destination.team_id == team_id, Destination.name == name)
    if session.scalar(taken) is not None:
        raise ConflictError("The team has a destination of this name: choose another one.", name=name)


def _require_room(session: Session, team_id: UUID) -> None:
    here = Destination.team_id == team_id
    count = session.scalar(select(func.count()).select_from(Destination).where(here)) or 0
    if count >= MAX_DESTINATIONS:
        raise ConflictError(
            f"The team has {count} destinations, and may not have more: delete one of them first.",
            destinations=count,
        )
