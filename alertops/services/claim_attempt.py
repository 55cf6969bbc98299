"""Claim an attempt: the right to send it, for the length of a lease, under a number that fences.

Safe against another claim and against acknowledge: both take the execution's row lock first, and the
claim itself is an UPDATE that only holds for the claim number that was read under that lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.channels.base import Notification
from alertops.escalation.decision import ClaimAttempt, Decision, EndAttempt, Reason, WakeAgain
from alertops.escalation.events import AttemptWoken, LeaseExpired
from alertops.escalation.machine import decide
from alertops.escalation.states import AttemptStatus
from alertops.faults import Point, reach
from alertops.services import transitions
from alertops.services.apply import apply
from alertops.services.destinations.find_destinations import sealed_url_of
from alertops.services.dispatch import AttemptWakeUp, WakeUp
from alertops.services.keys import AttemptKey
from alertops.services.letters.mail_token import mint
from alertops.services.locked import LockedAttempt
from alertops.services.locked_attempt import ToClaim, lock_to_claim
from alertops.services.progress import progress_of
from alertops.services.signing_secrets import signing_secrets
from alertops.services.timeline import tell
from alertops.services.transitions import Claimed


@dataclass(frozen=True)
class Claim:
    """The right to send. `claimed` must be shown at every later write."""

    key: AttemptKey
    claimed: Claimed
    channel: str
    notification: Notification
    # Why it must not be sent after all, if it must not: known for certain before anybody is talked to.
    refused: str | None = None

    @property
    def number(self) -> int:
        """How often the attempt has been claimed, this time included."""
        return self.claimed.number


@dataclass(frozen=True)
class NoClaim:
    """There is nothing to send now; `wake_ups` are to be dispatched."""

    reason: Reason
    wake_ups: list[WakeUp]


def claim_attempt(session: Session, key: AttemptKey, lease_seconds: float) -> Claim | NoClaim:
    """One transaction: lock, decide, claim (or close, or hold), commit."""
    seen = lock_to_claim(session, key)
    if seen is None:
        return _nothing(session, Reason.STALE, [])
    decision = decide(seen.state, _woken(seen.attempt), seen.now)
    if decision.reason is Reason.EXPIRED:
        decision = decide(seen.state, _expired(session, key, seen.attempt), seen.now)
    for effect in decision.effects:
        match effect:
            case WakeAgain(at):
                return _nothing(session, decision.reason, [AttemptWakeUp(key, seen.attempt.channel, at)])
            case ClaimAttempt(may_repeat):
                return _claim(session, key, seen, decision, lease_seconds, may_repeat=may_repeat)
            case EndAttempt(outcome):
                return _close(session, key, seen, decision, outcome)
    return _nothing(session, decision.reason, [])


def _woken(attempt: LockedAttempt) -> AttemptWoken:
    return AttemptWoken(
        attempt.step_number,
        AttemptStatus(attempt.status),
        attempt.due_at,
        attempt.lease_until,
        attempt.may_repeat,
    )


def _expired(session: Session, key: AttemptKey, attempt: LockedAttempt) -> LeaseExpired:
    return LeaseExpired(
        step=attempt.step_number,
        claims=attempt.claim_number,
        transmitted=attempt.transmit_at is not None,
        may_repeat=attempt.may_repeat,
        progress=progress_of(session, key),
    )


def _claim(
    session: Session,
    key: AttemptKey,
    seen: ToClaim,
    decision: Decision,
    lease_seconds: float,
    *,
    may_repeat: bool,
) -> Claim | NoClaim:
    attempt = seen.attempt
    claimed = transitions.claim_attempt(
        session, key, attempt.claim_number, lease_seconds, may_repeat=may_repeat
    )
    if claimed is None:
        return _nothing(session, Reason.STALE, [])
    if decision.reason is not Reason.DUE:
        # The worker before us died. The timeline says so, and whether this may be a repeat.
        tell(session, key, "attempt_claimed_again", reason=decision.reason.value, may_repeat=may_repeat)
    notification = _notification(session, key, seen, may_repeat=may_repeat)
    reach(Point.BEFORE_CLAIM, session)
    session.commit()
    reach(Point.AFTER_CLAIM, session)
    return Claim(key, claimed, attempt.channel, notification, _refusal(seen))


def _refusal(seen: ToClaim) -> str | None:
    """Since the step fired, an address may have asked for no more alerts, or a member have left the team."""
    if seen.stopped:
        return "the address has asked not to be alerted any more"
    if seen.left:
        return "the member has left the team"
    return None


def _close(
    session: Session, key: AttemptKey, seen: ToClaim, decision: Decision, outcome: AttemptStatus
) -> NoClaim:
    """End an attempt whose sender is gone and which will not be sent again."""
    detail = f"not sent again: {decision.reason.value}"
    last = Claimed(seen.attempt.claim_number, seen.attempt.lease_id)
    if not transitions.end_attempt(session, key, last, outcome, detail):
        return _nothing(session, Reason.STALE, [])
    tell(session, key, f"attempt_{outcome.value}", reason=decision.reason.value)
    applied = apply(session, seen.execution, decision, attempt=seen.attempt)
    if not applied.ok:
        return _nothing(session, Reason.STALE, [])
    reach(Point.BEFORE_CLOSE, session)
    session.commit()
    reach(Point.AFTER_CLOSE, session)
    return NoClaim(decision.reason, applied.wake_ups)


def _nothing(session: Session, reason: Reason, wake_ups: list[WakeUp]) -> NoClaim:
    session.rollback()
    return NoClaim(reason, wake_ups)


def _notification(session: Session, key: AttemptKey, seen: ToClaim, *, may_repeat: bool) -> Notification:
    outsider = seen.attempt.outsider_id
    return Notification(
        key=key.idempotency_key,
        address=seen.attempt.address,
        execution_id=str(key.execution_id),
        step=key.step,
        target=key.target,
        attempt=key.attempt,
        summary=seen.summary,
        severity=seen.execution.severity,
        details=seen.details,
        team_name=seen.team_name,
        flow_name=seen.flow_name,
        node_name=seen.state.node_of(key.step).name,
        started_at=seen.execution.created_at,
        may_repeat=may_repeat,
        stop_token=mint(session, outsider_id=outsider) if outsider else None,
        sealed_secrets=_secrets(session, seen),
        sealed_address=_sealed_url(session, seen),
    )


def _secrets(session: Session, seen: ToClaim) -> tuple[str, ...]:
    return signing_secrets(session, seen.execution.team_id) if seen.attempt.channel == "webhook" else ()


def _sealed_url(session: Session, seen: ToClaim) -> str | None:
    """Of a destination, as it is now: people change tokens that have got known, and nobody waits for that."""
    if seen.attempt.channel != "apprise":
        return None
    return sealed_url_of(session, seen.execution.team_id, UUID(seen.attempt.address))
