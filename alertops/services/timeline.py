"""Writing to the timeline, in the transaction that makes true what it tells."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from alertops.models import TimelineEntry
from alertops.services.keys import AttemptKey, StepKey

_INSERT = insert(cast(Table, TimelineEntry.__table__))


def tell(
    session: Session,
    where: UUID | StepKey | AttemptKey,
    event: str,
    *,
    actor_id: UUID | None = None,
    **detail: Any,
) -> None:
    """Add an entry about an execution, a step or an attempt; `detail` must be plain JSON."""
    spot = (where,) if isinstance(where, UUID) else where
    execution_id, step, target, attempt = (*spot, None, None, None)[:4]
    row = {
        "execution_id": execution_id,
        "event": event,
        "step_number": step,
        "target_number": target,
        "attempt_number": attempt,
        "actor_id": actor_id,
        "detail": detail,
    }
    session.execute(_INSERT, row)
