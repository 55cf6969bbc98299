"""Claim an attempt: the right to send it, for the length of a lease, under a number that fences.

Safe against another claim and against acknowledge: both take the execution's row lock first, and the
claim itself is an UPDATE that only holds for the claim number that was read under that lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.channels.base import Notification
from alertops.db import commit_without_flush, database_now
from alertops.escalation.decision import ClaimAttempt, Decision, EndAttempt, Reason, WakeAgain
from alertops.escalation.events import AttemptWoken, LeaseExpired
from alertops.escalation.machine import decide
from alertops.escalation.state import State
from alertops.escalation.states import AttemptStatus
from alertops.faults import Point, reach
from alertops.models import Attempt, Execution, Flow, Membership, Outsider, Team
from alertops.services import transitions
from alertops.services.apply import apply
from alertops.services.dispatch import AttemptWakeUp, WakeUp
from alertops.services.keys import AttemptKey
from alertops.services.letters.mail_token import mint
from alertops.services.lock import attempt_state, lock_execution, progress_of, read_attempt
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
    execution = lock_execution(session, key.execution_id)
    attempt = read_attempt(session, key)
    if execution is None or attempt is None:
        return _nothing(session, Reason.STALE, [])
    state = attempt_state(session, execution, key.step)
    now = database_now(session)
    decision = decide(state, _woken(attempt), now)
    if decision.reason is Reason.EXPIRED:
        decision = decide(state, _expired(session, key, attempt), now)
    for effect in decision.effects:
        match effect:
            case WakeAgain(at):
                return _nothing(session, decision.reason, [_wake_up(key, attempt.channel, at)])
            case ClaimAttempt(may_repeat):
                return _claim(
                    session,
                    execution,
                    state,
                    attempt,
                    decision,
                    lease_seconds=lease_seconds,
                    may_repeat=may_repeat,
                )
            case EndAttempt(outcome):
                return _close(session, execution, attempt, decision, outcome)
    return _nothing(session, decision.reason, [])


def _woken(attempt: Attempt) -> AttemptWoken:
    return AttemptWoken(
        attempt.step_number,
        AttemptStatus(attempt.status),
        attempt.due_at,
        attempt.lease_until,
        attempt.may_repeat,
    )


def _expired(session: Session, key: AttemptKey, attempt: Attempt) -> LeaseExpired:
    return LeaseExpired(
        step=attempt.step_number,
        claims=attempt.claim_number,
        transmitted=attempt.transmit_at is not None,
        may_repeat=attempt.may_repeat,
        progress=progress_of(session, key),
    )


def _claim(
    session: Session,
    execution: Execution,
    state: State,
    attempt: Attempt,
    decision: Decision,
    *,
    lease_seconds: float,
    may_repeat: bool,
) -> Claim | NoClaim:
    key = AttemptKey.of(attempt)
    seen = attempt.claim_number
    claimed = transitions.claim_attempt(session, key, seen, lease_seconds, may_repeat=may_repeat)
    if claimed is None:
        return _nothing(session, Reason.STALE, [])
    if decision.reason is not Reason.DUE:
        # The worker before us died. The timeline says so, and whether this may be a repeat.
        tell(session, key, "attempt_claimed_again", reason=decision.reason.value, may_repeat=may_repeat)
    notification = _notification(session, execution, state, attempt, may_repeat=may_repeat)
    refused = _refusal(session, execution, attempt)
    # Nothing that can be seen outside follows from a claim, until the mark or the outcome is flushed, and the
    # claim with it. Lost in a crash of the database before, it is refused there (reliability.md).
    commit_without_flush(session)
    reach(Point.BEFORE_CLAIM, session)
    session.commit()
    reach(Point.AFTER_CLAIM, session)
    return Claim(key, claimed, attempt.channel, notification, refused)


def _refusal(session: Session, execution: Execution, attempt: Attempt) -> str | None:
    """Since the step fired, an address may have asked for no more alerts, or a member have left the team."""
    if attempt.outsider_id is not None:
        stopped = select(Outsider.stopped_at.is_not(None)).where(Outsider.id == attempt.outsider_id)
        if session.scalar(stopped):
            return "the address has asked not to be alerted any more"
    if attempt.user_id is not None:
        member = select(Membership.user_id).where(
            Membership.team_id == execution.team_id, Membership.user_id == attempt.user_id
        )
        if session.scalar(member) is None:
            return "the member has left the team"
    return None


def _close(
    session: Session, execution: Execution, attempt: Attempt, decision: Decision, outcome: AttemptStatus
) -> NoClaim:
    """End an attempt whose sender is gone and which will not be sent again."""
    detail = f"not sent again: {decision.reason.value}"
    key = AttemptKey.of(attempt)
    seen = Claimed(attempt.claim_number, attempt.lease_id)
    if not transitions.end_attempt(session, key, seen, outcome, detail):
        return _nothing(session, Reason.STALE, [])
    tell(session, key, f"attempt_{outcome.value}", reason=decision.reason.value)
    applied = apply(session, execution, decision, attempt=attempt)
    if not applied.ok:
        return _nothing(session, Reason.STALE, [])
    reach(Point.BEFORE_CLOSE, session)
    session.commit()
    reach(Point.AFTER_CLOSE, session)
    return NoClaim(decision.reason, applied.wake_ups)


def _nothing(session: Session, reason: Reason, wake_ups: list[WakeUp]) -> NoClaim:
    session.rollback()
    return NoClaim(reason, wake_ups)


def _notification(
    session: Session,
    execution: Execution,
    state: State,
    attempt: Attempt,
    *,
    may_repeat: bool,
) -> Notification:
    team_name, flow_name = session.execute(
        select(Team.name, Flow.name).join(Team, Flow.team_id == Team.id).where(Flow.id == execution.flow_id)
    ).one()
    return Notification(
        key=AttemptKey.of(attempt).idempotency_key,
        address=attempt.address,
        execution_id=str(execution.id),
        step=attempt.step_number,
        target=attempt.target_number,
        attempt=attempt.number,
        summary=execution.summary,
        severity=execution.severity,
        details=execution.details,
        team_name=team_name,
        flow_name=flow_name,
        node_name=state.node_of(attempt.step_number).name,
        started_at=execution.created_at,
        may_repeat=may_repeat,
        stop_token=mint(session, outsider_id=attempt.outsider_id) if attempt.outsider_id else None,
        sealed_secrets=signing_secrets(session, execution.team_id) if attempt.channel == "webhook" else (),
    )


def _wake_up(key: AttemptKey, channel: str, at: datetime) -> AttemptWakeUp:
    return AttemptWakeUp(key, channel, at)
