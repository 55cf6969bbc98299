"""A team makes a key for a program."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from alertops.errors import ConflictError
from alertops.models import ApiKey
from alertops.models.api_key import Scope
from alertops.services.access.actor import Asking
from alertops.services.access.api_key_text import ApiKeyText
from alertops.services.access.audit import audit
from alertops.services.teams.locked_team import locked_team

MAX_LIVE_KEYS = 100


@dataclass(frozen=True)
class MadeKey:
    """A key and its text, which is nowhere else and cannot be shown again."""

    api_key: ApiKey
    key: str


def live() -> ColumnElement[bool]:
    """The condition that a key opens anything: it was not revoked, and has not expired."""
    not_expired = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.clock_timestamp())
    return ApiKey.revoked_at.is_(None) & not_expired


def make_api_key(
    session: Session,
    asking: Asking,
    team_id: UUID,
    *,
    name: str,
    scopes: Collection[Scope],
    expires_in_seconds: int | None = None,
) -> MadeKey:
    """Make the key and commit; `ConflictError` when the team has as many as it may have."""
    text = ApiKeyText.new()
    with locked_team(session, asking, team_id):
        _require_room(session, team_id)
        made = ApiKey(
            team_id=team_id,
            name=name,
            prefix=text.prefix,
            hash=text.hash,
            scopes=sorted(scopes),
            created_by=asking.actor.id,
        )
        if expires_in_seconds is not None:
            made.expires_at = func.clock_timestamp() + timedelta(seconds=expires_in_seconds)
        session.add(made)
        session.flush()
        session.refresh(made)
        told = {"name": name, "prefix": text.prefix, "scopes": made.scopes}
        if made.expires_at is not None:
            told["expires_at"] = made.expires_at.isoformat()
        audit(session, team_id, asking.actor, "api_key.made", made.id, after=told)
    return MadeKey(made, text.text)


def _require_room(session: Session, team_id: UUID) -> None:
    """Under the team's lock, so that of two who make the last one at once, one does."""
    count = session.scalar(select(func.count()).select_from(ApiKey).where(ApiKey.team_id == team_id, live()))
    if (count or 0) >= MAX_LIVE_KEYS:
        raise ConflictError(
            f"The team has {count} keys, and may not have more: revoke one that is not needed first.",
            keys=count,
        )
