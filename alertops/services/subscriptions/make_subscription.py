"""A team has a machine told what happens to its executions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.channels.webhook_url import shown_url
from alertops.errors import ConflictError
from alertops.models import Subscription
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.teams.locked_team import locked_team

# Each entry of each timeline of the team is a row for each that wants it.
MAX_SUBSCRIPTIONS = 20


def make_subscription(
    session: Session,
    asking: Asking,
    team_id: UUID,
    *,
    name: str,
    url: str,
    events: Collection[str] | None = None,
    enabled: bool = True,
) -> Subscription:
    """Make it and commit: it is told what happens from now on.

    Raises `ConflictError` when the team has as many as it may.
    """
    with locked_team(session, asking, team_id):
        _require_room(session, team_id)
        made = Subscription(
            team_id=team_id,
            name=name,
            url=url,
            events=stored_events(events),
            enabled=enabled,
            created_by=asking.actor.id,
        )
        session.add(made)
        session.flush()
        session.refresh(made)
        audit(session, team_id, asking.actor, "subscription.made", made.id, after=told_of(made))
    return made


def stored_events(events: Collection[str] | None) -> list[str] | None:
    """Names of events as they are kept; None is all of them."""
    return None if events is None else list(events)


def told_of(subscription: Subscription) -> dict[str, Any]:
    """What the audit log says of it; not all of the URL, which may be a secret."""
    return {
        "name": subscription.name,
        "url": shown_url(subscription.url),
        "events": subscription.events,
        "enabled": subscription.enabled,
    }


def _require_room(session: Session, team_id: UUID) -> None:
    """Under the team's lock, so that of two who make the last one at once, one does."""
    here = Subscription.team_id == team_id
    count = session.scalar(select(func.count()).select_from(Subscription).where(here)) or 0
    if count >= MAX_SUBSCRIPTIONS:
        raise ConflictError(
            f"The team has {count} subscriptions, and may not have more: delete one of them first.",
            subscriptions=count,
        )
