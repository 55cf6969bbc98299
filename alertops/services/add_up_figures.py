"""What recovery does for /metrics while it is at it, at its low rate: what was told is added up."""

from __future__ import annotations

from sqlalchemy.orm import Session

from alertops.services.count_events import count_events
from alertops.services.dispatch_failures import add_up_failures


def add_up_figures(session: Session) -> None:
    """Add up what has happened since the last run. Nothing is raised that the repair would end with."""
    count_events(session)
    add_up_failures(session)
