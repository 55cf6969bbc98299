"""What races: the real services, and as the control a claim that is known to be unsafe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from alertops.config import Timing
from alertops.escalation.decision import Reason
from alertops.services.acknowledge import acknowledge
from alertops.services.claim_attempt import Claim, NoClaim, claim_attempt
from alertops.services.dispatch import Dispatcher
from alertops.services.keys import AttemptKey
from alertops.services.operate import By
from alertops.services.send_attempt import _Mark, _mark_transmit
from tests.integration.world import Broker
from tests.races.pairs import LEASE_SECONDS, Pair

NEEDED_SECONDS = Timing().send_deadline / 2


@dataclass(frozen=True)
class Listed:
    """An attempt that an acknowledge found in flight, as it was then."""

    claim_number: int
    marked: bool


@dataclass(frozen=True)
class Acknowledged:
    """An acknowledge's answer: whether it changed the state, and what it came too late for."""

    changed: bool
    in_flight: tuple[Listed, ...]


@dataclass(frozen=True)
class Claimed:
    """A claimer's answer: the number it got, or why none; and what became of its mark, if it tried."""

    number: int | None
    reason: Reason | None = None
    mark: _Mark | None = None


Claimer = Callable[[Session, Pair], Claimed]


def key_of(pair: Pair) -> AttemptKey:
    return AttemptKey(pair.execution_id, 1, 1, 1)


def acknowledger(session: Session, pair: Pair, actor_id: UUID) -> Acknowledged:
    answered = acknowledge(session, Dispatcher(Broker()), pair.execution_id, By(actor_id))
    listed = (Listed(row.claim_number, row.transmit_at is not None) for row in answered.in_flight)
    return Acknowledged(answered.changed, tuple(listed))


def claimer(session: Session, pair: Pair) -> Claimed:
    match claim_attempt(session, key_of(pair), LEASE_SECONDS):
        case Claim(number=number):
            return Claimed(number)
        case NoClaim(reason=reason):
            return Claimed(None, reason)


def marking_claimer(session: Session, pair: Pair) -> Claimed:
    claim = claim_attempt(session, key_of(pair), LEASE_SECONDS)
    if isinstance(claim, NoClaim):
        return Claimed(None, claim.reason)
    return Claimed(claim.number, mark=_mark_transmit(session, claim, needed_seconds=NEEDED_SECONDS))


# One statement, and no lock on the execution. It sees the execution as it was when the statement began.
JOINING_CLAIM = text("""
    UPDATE attempts a
    SET status = 'sending', claim_number = a.claim_number + 1, transmit_at = NULL,
        lease_until = clock_timestamp() + :lease * interval '1 second'
    FROM executions e
    WHERE e.id = a.execution_id AND e.status = 'running' AND a.execution_id = :id
        AND (a.status = 'scheduled' AND a.due_at <= clock_timestamp()
             OR a.status = 'sending' AND a.lease_until <= clock_timestamp())
    RETURNING a.claim_number
""")


def joining_claimer(session: Session, pair: Pair) -> Claimed:
    """The control: a claim that joins the execution instead of locking it first."""
    values = {"id": pair.execution_id, "lease": LEASE_SECONDS}
    number = session.execute(JOINING_CLAIM, values).scalar_one_or_none()
    session.commit()
    return Claimed(number, Reason.STALE if number is None else None)
