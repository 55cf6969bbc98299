"""An attempt is sent: claimed, spoken for up to the point of no return, marked, transmitted, recorded.

::

    wake-up ─▶ claim (not flushed) ─▶ open ─▶ mark transmit (flushed) ─▶ transmit ─▶ record (flushed)
               lease starts            │       execution still running,    │
                                       │       lease still ours            │
                                       └─ failed: certainly not sent       └─ failed: perhaps sent

A crash left of the mark is retried without risk. A crash right of it may repeat a message: the attempt
is sent again under the same key, or held. No lock is held while the network is being talked to.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

import structlog
from sqlalchemy.orm import Session

from alertops.channels.base import Certainty, Channel, ChannelError
from alertops.config import Timing
from alertops.escalation.decision import Reason
from alertops.escalation.states import AttemptStatus, ExecutionStatus
from alertops.faults import Point, reach
from alertops.models import Execution
from alertops.services import transitions
from alertops.services.claim_attempt import Claim, NoClaim, claim_attempt
from alertops.services.dispatch import Dispatcher
from alertops.services.keys import AttemptKey
from alertops.services.lock import lock_execution
from alertops.services.persistence import persistently
from alertops.services.record_outcome import Outcome, record_outcome
from alertops.tracing import inside

log = structlog.get_logger(__name__)


def send_attempt(
    session: Session,
    dispatcher: Dispatcher,
    channels: Mapping[str, Channel],
    timing: Timing,
    key: AttemptKey,
) -> Reason:
    """Send the attempt if it is due and free; any number of wake-ups send it once."""
    with inside("claim"):
        claim = persistently(session, timing.lease, lambda: claim_attempt(session, key, timing.lease))
    if isinstance(claim, NoClaim):
        dispatcher.dispatch(session, claim.wake_ups)
        return claim.reason
    log.info("attempt_claimed", claim=claim.number, channel=claim.channel)
    if claim.refused is not None:
        outcome: Outcome | None = Outcome(AttemptStatus.FAILED, claim.refused, permanent=True)
    else:
        outcome = _converse(session, channels[claim.channel], timing, claim)
    if outcome is None:
        log.warning("lease_lost", claim=claim.number, next="the newer claim decides")
        return Reason.STALE
    # What is known now would be unknown to the next claim: keep at it for as long as the lease is ours.
    with inside("record"):
        return persistently(
            session, timing.lease, lambda: record_outcome(session, dispatcher, claim, outcome)
        )


class _Mark(Enum):
    """Whether a send may cross the point of no return."""

    GO = auto()
    ANSWERED = auto()
    LOST = auto()


def _converse(session: Session, channel: Channel, timing: Timing, claim: Claim) -> Outcome | None:
    """Talk to the provider; None when the lease was lost before anything was transmitted."""
    half = timing.send_deadline / 2
    try:
        with channel.open(claim.notification, within_seconds=half) as delivery:
            reach(Point.AFTER_OPEN, session)
            with inside("mark"):
                mark = persistently(
                    session, half, lambda: _mark_transmit(session, claim, needed_seconds=half)
                )
            match mark:
                case _Mark.LOST:
                    return None
                case _Mark.ANSWERED:
                    return Outcome(AttemptStatus.CANCELLED, "answered before it was transmitted")
                case _Mark.GO:
                    receipt = delivery.transmit(within_seconds=half)
                    reach(Point.AFTER_TRANSMIT, session)
                    return Outcome(AttemptStatus.DELIVERED, receipt.detail)
    except ChannelError as error:
        unknown = error.certainty is Certainty.UNKNOWN
        status = AttemptStatus.UNKNOWN if unknown else AttemptStatus.FAILED
        return Outcome(status, error.detail, error.permanent, error.not_before_seconds, error.gone)


def _goes_on(execution: Execution, claim: Claim) -> bool:
    """Whether nobody has answered, or handed it to others, since the claim."""
    return execution.status == ExecutionStatus.RUNNING and claim.key.step >= execution.first_step


def _mark_transmit(session: Session, claim: Claim, *, needed_seconds: float) -> _Mark:
    """Commit that the message is about to go, unless it was answered or the lease runs out."""
    if not transitions.mark_transmit(session, claim.key, claim.claimed, needed_seconds):
        return _why_not(session, claim)
    reach(Point.BEFORE_TRANSMIT_MARK, session)
    session.commit()
    reach(Point.AFTER_TRANSMIT_MARK, session)
    return _Mark.GO


def _why_not(session: Session, claim: Claim) -> _Mark:
    """Read under the lock that the mark took."""
    execution = lock_execution(session, claim.key.execution_id)
    session.rollback()
    return _Mark.LOST if execution is None or _goes_on(execution, claim) else _Mark.ANSWERED
