"""A letter is sent: claimed, spoken for up to the point of no return, marked, transmitted, recorded.

::

    wake-up ─▶ claim and token (committed) ─▶ open ─▶ mark (committed) ─▶ transmit ─▶ record (committed)
               │                              └─ failed: certainly not sent    └─ failed: perhaps sent
               └─ over (answered, expired): cancelled

As with an attempt, what was lost before the mark is tried again without a word, and after it under the same
Message-ID, saying that it may be a repeat. What fails for a while is tried again a few times, in its row.
Nobody acknowledges a letter, and nothing follows on it: its own row's lock is all that is needed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from alertops.channels.base import Certainty, ChannelError
from alertops.channels.letter import LetterText, build_letter
from alertops.channels.mailer import Mailer
from alertops.config import Timing
from alertops.db import database_now
from alertops.escalation.backoff import pause_before
from alertops.escalation.flow import RetryPolicy
from alertops.escalation.states import AttemptStatus
from alertops.models import Letter
from alertops.services.dispatch import Dispatcher, LetterWakeUp
from alertops.services.letters import letter_transitions as transitions
from alertops.services.letters.letter_facts import facts_of
from alertops.services.letters.letter_texts import text_of
from alertops.services.letters.mail_token import mint
from alertops.services.persistence import persistently

# Over about half an hour: a mail server that is down for longer is told about by other means.
POLICY = RetryPolicy(max_attempts=6, backoff_seconds=60, backoff_factor=2, max_backoff_seconds=1800)

# Jitter spreads load; nobody gains from predicting it.
_jitter = random.Random()  # noqa: S311

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Post:
    """By what letters are sent: the mailer, and the address under which the API is known to the world."""

    mailer: Mailer
    public_url: str


@dataclass(frozen=True)
class _Claim:
    letter: Letter
    number: int
    text: LetterText


@dataclass(frozen=True)
class _Outcome:
    status: AttemptStatus
    detail: str
    permanent: bool = False


def send_letter(
    session: Session, dispatcher: Dispatcher, post: Post, timing: Timing, letter_id: UUID
) -> AttemptStatus | None:
    """Send the letter if it is due and free; any number of wake-ups send it once. None: nothing was sent."""
    claim = persistently(session, timing.lease, lambda: _claim(session, dispatcher, post, timing, letter_id))
    if claim is None:
        return None
    outcome = _converse(session, post.mailer, timing, claim)
    if outcome is None:
        log.warning("lease_lost", letter=str(letter_id), claim=claim.number, next="the newer claim decides")
        return None
    return persistently(session, timing.lease, lambda: _record(session, dispatcher, claim, outcome))


def _claim(
    session: Session, dispatcher: Dispatcher, post: Post, timing: Timing, letter_id: UUID
) -> _Claim | None:
    letter = transitions.lock_letter(session, letter_id)
    if letter is None or letter.finished_at is not None:
        session.rollback()
        return None
    now = database_now(session)
    free_at = letter.lease_until if letter.status == AttemptStatus.SENDING else letter.due_at
    if free_at is not None and free_at > now:
        session.rollback()
        if letter.status == AttemptStatus.SCHEDULED:
            dispatcher.dispatch(session, [LetterWakeUp(letter_id, free_at)])
        return None
    may_repeat = letter.may_repeat or letter.transmit_at is not None
    facts = facts_of(session, letter, may_repeat=may_repeat)
    if facts is None or letter.tries >= POLICY.max_attempts:
        _close(session, letter, over=facts is None)
        return None
    if not transitions.claim_letter(session, letter, timing.lease, may_repeat=may_repeat):
        session.rollback()
        return None
    text = text_of(facts, mint(session, letter_id=letter_id), post.public_url)
    session.commit()
    return _Claim(letter, letter.claim_number + 1, text)


def _close(session: Session, letter: Letter, *, over: bool) -> None:
    """There is no reason for it any more, or (not `over`) those who tried to send it were lost too often."""
    to = AttemptStatus.CANCELLED if over else AttemptStatus.FAILED
    if letter.may_repeat or letter.transmit_at is not None:
        to = AttemptStatus.UNKNOWN
    detail = "not sent again: it is over" if over else "not sent again: its senders were lost too often"
    transitions.end_letter(session, letter.id, letter.claim_number, to, detail)
    session.commit()


def _converse(session: Session, mailer: Mailer, timing: Timing, claim: _Claim) -> _Outcome | None:
    """Talk to the mail server; None when the lease was lost before anything was transmitted."""
    half = timing.send_deadline / 2
    letter_id = claim.letter.id

    def mark() -> bool:
        marked = transitions.mark_transmit(session, letter_id, claim.number, half)
        session.commit()
        return marked

    try:
        message = build_letter(claim.letter.address, str(letter_id), claim.text, mailer.mail_from)
        with mailer.open(message, within_seconds=half) as delivery:
            if not persistently(session, half, mark):
                return None
            receipt = delivery.transmit(within_seconds=half)
            return _Outcome(AttemptStatus.DELIVERED, receipt.detail)
    except ChannelError as error:
        unknown = error.certainty is Certainty.UNKNOWN
        status = AttemptStatus.UNKNOWN if unknown else AttemptStatus.FAILED
        return _Outcome(status, error.detail, permanent=error.permanent)


def _record(
    session: Session, dispatcher: Dispatcher, claim: _Claim, outcome: _Outcome
) -> AttemptStatus | None:
    letter_id, tries = claim.letter.id, claim.letter.tries + 1
    again = outcome.status is not AttemptStatus.DELIVERED and not outcome.permanent
    if again and tries < POLICY.max_attempts:
        pause = pause_before(POLICY, tries + 1, _jitter.random())
        repeat = claim.letter.may_repeat or outcome.status is AttemptStatus.UNKNOWN
        held = transitions.try_again(
            session, letter_id, claim.number, pause, outcome.detail, may_repeat=repeat
        )
        wake_ups = [LetterWakeUp(letter_id, database_now(session) + pause)] if held else []
    else:
        held = transitions.end_letter(session, letter_id, claim.number, outcome.status, outcome.detail)
        wake_ups = []
    session.commit()
    log.info("letter_tried", letter=str(letter_id), outcome=outcome.status.value, held=held, tries=tries)
    dispatcher.dispatch(session, wake_ups)
    return outcome.status if held else None
