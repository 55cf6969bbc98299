"""Record how a send ended, and insert what follows from it, in one transaction.

Fenced by the claim number: a worker that lost its lease, and comes back late, records nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from alertops.escalation.decision import Reason
from alertops.escalation.events import AttemptEnded
from alertops.escalation.machine import decide
from alertops.escalation.states import AttemptStatus
from alertops.faults import Point, reach
from alertops.services import transitions
from alertops.services.apply import apply
from alertops.services.claim_attempt import Claim
from alertops.services.dispatch import Dispatcher
from alertops.services.gone_webhooks import remember_gone
from alertops.services.locked_attempt import lock_to_record
from alertops.services.timeline import tell

log = structlog.get_logger(__name__)

# Jitter spreads load; nobody gains from predicting it.
_jitter = random.Random()  # noqa: S311


@dataclass(frozen=True)
class Outcome:
    """How a send ended, in the channel's words."""

    status: AttemptStatus
    detail: str
    permanent: bool = False
    not_before_seconds: float = 0.0
    gone: bool = False


def record_outcome(session: Session, dispatcher: Dispatcher, claim: Claim, outcome: Outcome) -> Reason:
    """Record the outcome under this claim; STALE when the lease was lost meanwhile."""
    key = claim.key
    seen = lock_to_record(session, key)
    if seen is None:
        return _lost(session, outcome)
    event = AttemptEnded(
        step=key.step,
        attempt=key.attempt,
        outcome=outcome.status,
        permanent=outcome.permanent,
        may_repeat=seen.attempt.may_repeat,
        jitter=_jitter.random(),
        began_at=seen.began_at,
        progress=seen.progress,
        not_before_seconds=outcome.not_before_seconds,
    )
    decision = decide(seen.state, event, seen.now)
    # Not always as the send ended: what an earlier claim may have delivered is not called failed.
    ended_as = decision.ended_as or outcome.status
    if not transitions.end_attempt(session, key, claim.claimed, ended_as, outcome.detail):
        return _lost(session, outcome)
    tell(session, key, f"attempt_{ended_as.value}", detail=outcome.detail, reason=decision.reason.value)
    if outcome.gone:
        url = remember_gone(session, seen.execution.team_id, seen.attempt.address, outcome.detail)
        tell(session, key, "webhook_gone", url=url)
    applied = apply(session, seen.execution, decision, attempt=seen.attempt)
    if not applied.ok:
        return _lost(session, outcome)
    reach(Point.BEFORE_OUTCOME, session)
    session.commit()
    reach(Point.AFTER_OUTCOME, session)
    log.info("attempt_ended", outcome=ended_as.value, detail=outcome.detail, then=decision.reason.value)
    dispatcher.dispatch(session, applied.wake_ups)
    return decision.reason


def _lost(session: Session, outcome: Outcome) -> Reason:
    session.rollback()
    log.warning("lease_lost", outcome=outcome.status.value, next="the newer claim decides")
    return Reason.STALE
