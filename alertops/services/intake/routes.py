"""Where events go: the rules of the integration, asked about the flows as they are now."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.intake.event import Event
from alertops.intake.routing import Route, route
from alertops.models import Flow
from alertops.services.integrations.authenticate_integration import WayIn


def routes_of(session: Session, way_in: WayIn, events: Sequence[Event]) -> list[Route]:
    """The route of each event."""
    if not way_in.rules:
        return [Route(way_in.flow_id, None) for _ in events]
    named = [rule.flow_id for rule in way_in.rules]
    archived = set(session.scalars(select(Flow.id).where(Flow.id.in_(named), Flow.archived_at.is_not(None))))
    return [route(way_in.rules, way_in.flow_id, event, archived) for event in events]
