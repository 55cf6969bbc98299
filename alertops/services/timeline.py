"""Writing to the timeline, in the transaction that makes true what it tells."""

from __future__ import annotations

import json
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from alertops.models import TimelineEntry
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.prepared import Prepared

_COLUMNS = ("execution_id", "event", "step_number", "target_number", "attempt_number", "actor_id", "detail")
_INSERT = Prepared("insert_timeline", insert(cast(Table, TimelineEntry.__table__)), *_COLUMNS)


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
    row = (execution_id, event, step, target, attempt, actor_id, json.dumps(detail))
    _INSERT.run(session, dict(zip(_COLUMNS, row, strict=True)))
