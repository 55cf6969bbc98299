"""What would become of a request: the events in it, and by which rule each would go where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from alertops.errors import InvalidInputError
from alertops.intake.event import Event, InvalidEventError, Source
from alertops.intake.read import read_events
from alertops.intake.routing import Route
from alertops.models import Integration
from alertops.services.intake.routes import routes_of
from alertops.services.integrations.authenticate_integration import WayIn


@dataclass(frozen=True)
class DryEvent:
    """An event, and where it would go."""

    event: Event
    route: Route


def dry_run(session: Session, integration: Integration, document: Any, pointer: str) -> list[DryEvent]:
    """Read the document as this integration would, and change nothing; faults are told below `pointer`."""
    try:
        events = read_events(Source(integration.kind), document, integration.mapping)
    except InvalidEventError as error:
        faults = [(pointer + place, sentence) for place, sentence in error.faults]
        raise InvalidInputError(*faults[0], *faults[1:]) from error
    routes = routes_of(session, WayIn.of(integration), events)
    return [DryEvent(event, route) for event, route in zip(events, routes, strict=True)]
