"""Record how a delivery went, and what follows: another try, the end of it, or of its subscription.

Fenced by the claim: a sender that lost its lease, and comes back late, records nothing. What the subscription
is said to have seen last is written with it, to the second, and by one sender at a time: the others go on.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from alertops.channels.base import ChannelError
from alertops.escalation.backoff import pause_before
from alertops.escalation.flow import RetryPolicy
from alertops.escalation.states import AttemptStatus
from alertops.models import Subscription
from alertops.services.deliveries import delivery_transitions as transitions
from alertops.services.deliveries.delivery_transitions import Claimed
from alertops.services.deliveries.standing import Seen, Told

# After 5 s, 10 s, 20 s, ... and from then on every quarter of an hour.
POLICY = RetryPolicy(max_attempts=20, backoff_seconds=5, backoff_factor=2, max_backoff_seconds=900)
# A receiver that asks for a longer pause gets it, up to this.
LONGEST_ASKED = timedelta(hours=1)
# How long after it happened an event is still tried; each is tried once at least.
GIVEN_UP_AFTER = timedelta(days=1)
_NOTED_EVERY = timedelta(seconds=1)

# Jitter spreads load; nobody gains from predicting it.
_jitter = random.Random()  # noqa: S311

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Went:
    """What the receiver said, or why it said nothing; no error is a success."""

    detail: str
    error: ChannelError | None = None


def record_delivery(session: Session, seen: Seen, claimed: Claimed, went: Went) -> Told:
    """Write it down and commit; LOST when the claim is somebody else's by now."""
    if went.error is None:
        told = _delivered(session, seen, claimed, went)
    elif went.error.gone:
        told = _gone(session, seen, claimed, went)
    elif seen.now - seen.created_at >= GIVEN_UP_AFTER:
        told = _given_up(session, seen, claimed, went)
    else:
        told = _failed(session, seen, claimed, went, went.error)
    if told is Told.LOST:
        session.rollback()
        log.warning("lease_lost", delivery=str(claimed.delivery_id), next="the newer claim decides")
        return told
    session.commit()
    log.info("event_told", delivery=str(claimed.delivery_id), outcome=told.value, tries=claimed.number)
    return told


def _delivered(session: Session, seen: Seen, claimed: Claimed, went: Went) -> Told:
    if not transitions.end_delivery(session, claimed, AttemptStatus.DELIVERED, went.detail):
        return Told.LOST
    _note_success(session, seen.line.subscription_id)
    return Told.DELIVERED


def _failed(session: Session, seen: Seen, claimed: Claimed, went: Went, error: ChannelError) -> Told:
    attempt = min(seen.tries + 2, POLICY.max_attempts)
    asked = min(timedelta(seconds=error.not_before_seconds), LONGEST_ASKED)
    pause = max(pause_before(POLICY, attempt, _jitter.random()), asked)
    if not transitions.try_again(session, claimed, pause, went.detail):
        return Told.LOST
    _note(session, seen, last_failure_at=func.clock_timestamp(), last_failure=went.detail)
    return Told.FAILED


def _given_up(session: Session, seen: Seen, claimed: Claimed, went: Went) -> Told:
    if not transitions.end_delivery(session, claimed, AttemptStatus.FAILED, went.detail):
        return Told.LOST
    _note(
        session,
        seen,
        last_failure_at=func.clock_timestamp(),
        last_failure=went.detail,
        given_up=Subscription.given_up + 1,
    )
    return Told.GIVEN_UP


def _gone(session: Session, seen: Seen, claimed: Claimed, went: Went) -> Told:
    """Nothing goes there any more, until somebody enables it again."""
    if _given_up(session, seen, claimed, went) is Told.LOST:
        return Told.LOST
    _note(session, seen, enabled=False, disabled_because=f"The receiver is gone: {went.detail}")
    return Told.GONE


def _note_success(session: Session, subscription_id: UUID) -> None:
    """Unless somebody has noted one just now, or is about to: it tells when, and not how often."""
    stale = or_(
        Subscription.last_success_at.is_(None),
        Subscription.last_success_at < func.clock_timestamp() - _NOTED_EVERY,
        Subscription.last_success_at < Subscription.last_failure_at,
    )
    row = select(Subscription.id).where(Subscription.id == subscription_id, stale)
    free = row.with_for_update(key_share=True, skip_locked=True).scalar_subquery()
    session.execute(
        update(Subscription).where(Subscription.id == free).values(last_success_at=func.clock_timestamp()),
        execution_options={"synchronize_session": False},
    )


def _note(session: Session, seen: Seen, **values: Any) -> None:
    session.execute(
        update(Subscription).where(Subscription.id == seen.line.subscription_id).values(values),
        execution_options={"synchronize_session": False},
    )
