"""A change is recorded for people to look at, and alerts nobody."""

from __future__ import annotations

from sqlalchemy.orm import Session

from alertops import models
from alertops.intake.pagerduty import Change
from alertops.services.integrations.authenticate_integration import WayIn


def record_change(session: Session, way_in: WayIn, change: Change) -> None:
    """Record the change and commit."""
    session.add(
        models.Change(
            team_id=way_in.monitor.team_id,
            integration_id=way_in.monitor.id,
            summary=change.summary,
            details=dict(change.details),
            occurred_at=change.occurred_at,
        )
    )
    session.commit()
