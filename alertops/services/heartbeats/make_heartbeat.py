"""A team wants to be told when a job falls silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.errors import ConflictError, InvalidInputError
from alertops.models import Flow, Heartbeat
from alertops.models.heartbeat import HeartbeatStatus
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.integrations.integration_key import IntegrationKey
from alertops.services.teams.locked_team import locked_team

MAX_HEARTBEATS = 500
MIN_EVERY_SECONDS = 10
MAX_EVERY_SECONDS = 366 * 24 * 3600
MIN_GRACE_SECONDS = 1
MAX_GRACE_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class MadeHeartbeat:
    """A heartbeat and the text of its key, which is nowhere else and cannot be shown again."""

    heartbeat: Heartbeat
    key: str


def make_heartbeat(
    session: Session, asking: Asking, team_id: UUID, wanted: Mapping[str, Any]
) -> MadeHeartbeat:
    """Make it and commit; it is watched from its first ping on. `wanted` are its columns.

    Raises `InvalidInputError` where the flow starts nothing, `ConflictError` when the team has as many as it
    may.
    """
    key = IntegrationKey.new()
    with locked_team(session, asking, team_id):
        require_flow(session, team_id, wanted["flow_id"])
        _require_room(session, team_id)
        made = Heartbeat(
            team_id=team_id,
            status=HeartbeatStatus.NEW,
            prefix=key.prefix,
            hash=key.hash,
            created_by=asking.actor.id,
            **wanted,
        )
        session.add(made)
        session.flush()
        session.refresh(made)
        audit(session, team_id, asking.actor, "heartbeat.made", made.id, after=told_of(made))
    return MadeHeartbeat(made, key.text)


def require_flow(session: Session, team_id: UUID, flow_id: UUID) -> None:
    """Keep the flow from being archived until the transaction ends; `InvalidInputError` when it has been."""
    row = select(Flow.archived_at).where(Flow.id == flow_id, Flow.team_id == team_id)
    found = session.execute(row.with_for_update(read=True, key_share=True)).one_or_none()
    if found is None:
        raise InvalidInputError("/flow_id", "There is no such flow in this team.")
    if found.archived_at is not None:
        raise InvalidInputError("/flow_id", "This flow is archived; it starts nothing.")


def told_of(heartbeat: Heartbeat) -> dict[str, Any]:
    """What the audit log says of it."""
    return {
        "name": heartbeat.name,
        "flow_id": str(heartbeat.flow_id),
        "every_seconds": heartbeat.every_seconds,
        "grace_seconds": heartbeat.grace_seconds,
        "severity": heartbeat.severity,
        "resolve_on_ping": heartbeat.resolve_on_ping,
        "paused": heartbeat.status == HeartbeatStatus.PAUSED,
    }


def _require_room(session: Session, team_id: UUID) -> None:
    """Under the team's lock, so that of two who make the last one at once, one does."""
    count = session.scalar(select(func.count()).where(Heartbeat.team_id == team_id)) or 0
    if count >= MAX_HEARTBEATS:
        raise ConflictError(
            f"The team has {count} heartbeats, and may not have more: delete one that is not needed first.",
            heartbeats=count,
        )
