"""Which rows are over, and since when: what may be deleted, table by table.

An execution is over when nobody can change its course any more::

    resolved, cancelled    the age ago
    exhausted              the age ago, and longer ago than the link in a mail is good: who was told last
                           may answer until then
    and with either:       no step and no timer waits, nothing is being sent, no replay of it is open,
                           and no subscriber is still to be told anything about it

What belongs to an execution goes with it: steps, attempts, timers, deliveries, timeline and the notes in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, true
from sqlalchemy.orm import InstrumentedAttribute, aliased

from alertops.escalation.states import (
    OPEN_FOR_DEDUPLICATION,
    TERMINAL,
    UNFINISHED,
    ExecutionStatus,
    StepStatus,
    TimerStatus,
)
from alertops.models import (
    Attempt,
    AuditEntry,
    Change,
    EventDelivery,
    Execution,
    Invitation,
    Letter,
    LoginSession,
    MailToken,
    Step,
    Throttle,
    Timer,
)
from alertops.models.invitation import InvitationStatus
from alertops.services import find_linked
from alertops.services.letters import write_letter

# What ended today is what people look at today.
MIN_AGE = timedelta(days=1)
# The database itself refuses to delete an entry that is younger (migration 0011).
MIN_AUDIT_AGE = timedelta(days=365)
# A mail says how to stop the mails; that must work for a month (RFC 8058 leaves it open, laws do not).
STOP_TOKENS_KEPT = timedelta(days=30)
# What subscribers were told says little once they were; those who look for it look soon.
DELIVERIES_KEPT = timedelta(days=7)

_ALWAYS = true()


@dataclass(frozen=True)
class Ages:
    """How long what is over is kept; the audit log for ever, unless an age is given for it."""

    finished: timedelta
    audit: timedelta | None = None


@dataclass(frozen=True)
class Sweep:
    """Rows of one table that are over: since when (`over_at`, which orders them), and which they are.

    `free` is asked again under the row's lock, in a statement that sees what was committed before it.
    """

    name: str
    id: InstrumentedAttribute[Any]
    over_at: ColumnElement[Any] | InstrumentedAttribute[Any]
    over: ColumnElement[bool]
    free: ColumnElement[bool] = _ALWAYS


def sweeps(ages: Ages, now: datetime) -> Iterator[Sweep]:
    """All that is over by now, by the database's clock. Alerts come first: they are the most."""
    yield _executions(ages.finished, now)
    yield Sweep(
        "event deliveries",
        EventDelivery.id,
        EventDelivery.finished_at,
        EventDelivery.finished_at < now - DELIVERIES_KEPT,
    )
    yield _stop_tokens(max(ages.finished, STOP_TOKENS_KEPT), now)
    yield Sweep("changes", Change.id, Change.created_at, Change.created_at < now - ages.finished)
    yield _invitations(ages.finished, now)
    yield _letters(now)
    yield Sweep("login sessions", LoginSession.id, LoginSession.expires_at, LoginSession.expires_at <= now)
    yield Sweep("throttles", Throttle.key, Throttle.clear_at, Throttle.clear_at <= now)
    if ages.audit is not None:
        yield Sweep("audit log", AuditEntry.id, AuditEntry.at, AuditEntry.at < now - ages.audit)


def _executions(age: timedelta, now: datetime) -> Sweep:
    answerable = max(age, find_linked.LIFETIME)
    over = or_(
        and_(Execution.status.in_(TERMINAL), Execution.ended_at < now - age),
        and_(Execution.status == ExecutionStatus.EXHAUSTED, Execution.ended_at < now - answerable),
    )
    # Said once more, for the index: rows that ended, in the order in which they did.
    return Sweep(
        "executions", Execution.id, Execution.ended_at, (Execution.ended_at < now - age) & over, _free()
    )


def _free() -> ColumnElement[bool]:
    """Nothing of it can happen any more, and no replay that is open names it."""
    again = aliased(Execution)
    return and_(
        ~exists().where(Attempt.execution_id == Execution.id, Attempt.status.in_(UNFINISHED)),
        ~exists().where(Step.execution_id == Execution.id, Step.status == StepStatus.WAITING),
        ~exists().where(Timer.execution_id == Execution.id, Timer.status == TimerStatus.WAITING),
        ~exists().where(EventDelivery.execution_id == Execution.id, EventDelivery.status.in_(UNFINISHED)),
        ~exists().where(again.replay_of == Execution.id, again.status.in_(OPEN_FOR_DEDUPLICATION)),
    )


def _stop_tokens(age: timedelta, now: datetime) -> Sweep:
    """By which somebody outside a team stops its alerts; those of letters go with their letters."""
    over = MailToken.outsider_id.is_not(None) & (MailToken.created_at < now - age)
    return Sweep("mail tokens", MailToken.hash, MailToken.created_at, over)


def _invitations(age: timedelta, now: datetime) -> Sweep:
    """Those that ended, and those that nobody answered. What was accepted waits for an account, for ever."""
    over_at = func.coalesce(Invitation.ended_at, Invitation.expires_at)
    over = (Invitation.status != InvitationStatus.ACCEPTED) & (over_at < now - age)
    return Sweep("invitations", Invitation.id, over_at, over)


def _letters(now: datetime) -> Sweep:
    """As each letter that is written deletes a few; where none is written, this does."""
    over = Letter.status.not_in(UNFINISHED) & (Letter.expires_at < now - write_letter.KEPT)
    return Sweep("letters", Letter.id, Letter.expires_at, over)
