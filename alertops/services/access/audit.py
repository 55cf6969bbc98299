"""Writing to a team's audit log, in the transaction of what it tells of."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.models import AuditEntry
from alertops.services.access.actor import Actor, TokenHolder


def audit(
    session: Session,
    team_id: UUID,
    actor: Actor | TokenHolder,
    action: str,
    subject_id: UUID,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add an entry: the actor did this. `action` is `<subject>.<verb>`, such as `member.removed`.

    `before` and `after` are plain JSON, of what the action changed alone; never a secret.
    """
    session.add(
        AuditEntry(
            team_id=team_id,
            actor_kind=actor.kind,
            actor_id=actor.id,
            address=actor.client.address,
            action=action,
            subject=action.partition(".")[0],
            subject_id=subject_id,
            before=before,
            after=after,
        )
    )
