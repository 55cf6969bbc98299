"""A key opens nothing any more."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Session

from alertops.errors import NotFoundError
from alertops.models import ApiKey
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.teams.locked_team import locked_team


def revoke_api_key(session: Session, asking: Asking, team_id: UUID, key_id: UUID) -> None:
    """Revoke the key and commit. Safe to repeat: it stays revoked since the first time, and by whom."""
    with locked_team(session, asking, team_id):
        key = session.get(ApiKey, key_id, populate_existing=True)
        if key is None or key.team_id != team_id:
            raise NotFoundError("There is no such key in this team.")
        if key.revoked_at is None:
            key.revoked_at = func.clock_timestamp()
            key.revoked_by = asking.actor.id
            told = {"name": key.name, "prefix": key.prefix}
            audit(session, team_id, asking.actor, "api_key.revoked", key_id, before=told)
