"""A destination is changed or deleted: under the team's lock, and told.

A new URL holds for whatever is sent from then on, also for alerts that are under way. Of a destination that
is deleted, flows go on naming the id: the step says that there is nobody there, and the escalation goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Session

from alertops.models import Destination
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.access.door import find_destination
from alertops.services.destinations.make_destination import Keeper, require_name_free, told_of
from alertops.services.teams.locked_team import locked_team


def change_destination(
    session: Session,
    asking: Asking,
    destination_id: UUID,
    keeper: Keeper,
    *,
    name: str | None = None,
    url: str | None = None,
) -> Destination:
    """Change what is given, and commit. Raises as `make_destination` does."""
    with _locked(session, asking, destination_id) as destination:
        before = told_of(destination)
        if name is not None and name != destination.name:
            require_name_free(session, destination.team_id, name)
            destination.name = name
        if url is not None:
            kept = keeper.kept(url)
            destination.shown, destination.sealed = kept["shown"], kept["sealed"]
        if name is not None or url is not None:
            destination.updated_at = func.clock_timestamp()
            # That the URL was changed is told, and not how: what is shown of it may be the same.
            after = {**told_of(destination), "url_changed": url is not None}
            about = (destination.team_id, asking.actor, "destination.changed", destination.id)
            audit(session, *about, before=before, after=after)
        session.flush()
        session.refresh(destination)
    return destination


def delete_destination(session: Session, asking: Asking, destination_id: UUID) -> None:
    """Delete it and commit: nothing is sent to it any more."""
    with _locked(session, asking, destination_id) as destination:
        session.delete(destination)
        about = (destination.team_id, asking.actor, "destination.deleted", destination.id)
        audit(session, *about, before=told_of(destination))


@contextmanager
def _locked(session: Session, asking: Asking, destination_id: UUID) -> Iterator[Destination]:
    team_id = find_destination(session, asking, destination_id).team_id
    with locked_team(session, asking, team_id):
        yield find_destination(session, asking, destination_id, fresh=True)
