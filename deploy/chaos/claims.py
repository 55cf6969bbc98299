"""What the API's clients were told, held against the database.

The clients' history is the only witness of what was answered: the database could have lost an alert
together with every trace of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Attempt, Execution, Step, TimelineEntry
from alertops.verify.promises import Verdict
from deploy.chaos.clients import Raised

PROMISES = {
    "accepted": "every alert that was answered with 2xx has its execution",
    "frozen": "an execution keeps the revision of its flow that was answered when it was started",
    "one execution": "an alert that was sent again while it was open has opened nothing else",
    "answered": "an acknowledge that was answered with 2xx is recorded, no later than the answer",
    "unclaimed": "after that answer nothing fired and no send was claimed",
}

NOBODY = UUID(int=0)


def check_claims(verdict: Verdict, session: Session, history: Sequence[Raised], lease: timedelta) -> None:
    """Check every promise to a client; `lease` is for how long an attempt is claimed."""
    judge_claims(
        verdict,
        history,
        session.scalars(select(Execution)),
        session.scalars(select(Step)),
        session.scalars(select(Attempt)),
        lease=lease,
        inserted=_inserted(session),
    )
    session.rollback()


def judge_claims(
    verdict: Verdict,
    history: Sequence[Raised],
    executions: Iterable[Execution],
    steps: Iterable[Step],
    attempts: Iterable[Attempt],
    *,
    lease: timedelta,
    inserted: Mapping[UUID, datetime] | None = None,
) -> None:
    """The same for rows that were read; `inserted` says when an execution was, at the latest."""
    by_id = {execution.id: execution for execution in executions}
    by_key: defaultdict[str, list[Execution]] = defaultdict(list)
    for execution in by_id.values():
        by_key[execution.dedup_key or ""].append(execution)
    activity = _activity(steps, attempts, lease)
    for raised in history:
        _accepted(verdict, raised, by_id, by_key[raised.key], inserted or {})
        if raised.acknowledged_at is not None:
            _answered(verdict, raised, raised.acknowledged_at, by_id, activity)


def _accepted(
    verdict: Verdict,
    raised: Raised,
    executions: Mapping[UUID, Execution],
    of_key: list[Execution],
    inserted: Mapping[UUID, datetime],
) -> None:
    if raised.execution_id is not None:
        found = executions.get(raised.execution_id)
        right = found is not None and (found.dedup_key, str(found.flow_id)) == (raised.key, raised.flow_id)
        what = f"{raised.execution_id} was answered to {raised.key}, and the database has {found}"
        verdict.require("accepted", raised.execution_id, right, what)
        kept = found is None or found.revision_number == raised.revision
        what = f"{raised.execution_id} began with revision {raised.revision}, and is now {found}"
        verdict.require("frozen", raised.execution_id, kept, what)
    in_order = sorted(of_key, key=lambda execution: execution.created_at)
    for earlier, later in pairwise(in_order):
        # Exhausted, then raised again: a new alert, as nobody is being told of the old one any more.
        began_at = inserted.get(later.id, later.created_at)
        over = earlier.ended_at is not None and earlier.ended_at <= began_at
        verdict.require("one execution", later.id, over, f"{raised.key} opened {earlier.id} and {later.id}")


def _inserted(session: Session) -> Mapping[UUID, datetime]:
    """`created_at` is when a transaction began, which may have waited; the timeline says when it wrote."""
    started = select(TimelineEntry.execution_id, TimelineEntry.at).where(TimelineEntry.event == "started")
    return {row.execution_id: row.at for row in session.execute(started)}


def _answered(
    verdict: Verdict,
    raised: Raised,
    answered_at: datetime,
    executions: Mapping[UUID, Execution],
    activity: Mapping[UUID, list[tuple[str, float]]],
) -> None:
    execution_id = raised.execution_id or NOBODY
    execution = executions.get(execution_id)
    at = None if execution is None else execution.acknowledged_at
    recorded = at is not None and at <= answered_at
    what = f"{execution_id} was acknowledged at {answered_at}, and the database says {at}"
    verdict.require("answered", execution_id, recorded, what)
    told = answered_at.timestamp()
    after = [f"{name} {when - told:.3f} s" for name, when in activity.get(execution_id, []) if when > told]
    what = f"{execution_id} had {', '.join(after)} after its acknowledge was answered"
    verdict.require("unclaimed", execution_id, not after, what)


def _activity(
    steps: Iterable[Step], attempts: Iterable[Attempt], lease: timedelta
) -> Mapping[UUID, list[tuple[str, float]]]:
    """When each step fired, and each attempt was last claimed and transmitted, by execution."""
    found: defaultdict[UUID, list[tuple[str, float]]] = defaultdict(list)
    for step in steps:
        if step.fired_at is not None:
            found[step.execution_id].append((f"a firing of step {step.number}", step.fired_at.timestamp()))
    for attempt in attempts:
        name = f"{attempt.step_number}.{attempt.target_number}.{attempt.number}"
        if attempt.lease_until is not None:
            claimed_at = attempt.lease_until - lease
            found[attempt.execution_id].append((f"a claim of {name}", claimed_at.timestamp()))
        if attempt.transmit_at is not None:
            found[attempt.execution_id].append((f"a send of {name}", attempt.transmit_at.timestamp()))
    return found
