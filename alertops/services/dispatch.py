"""Dispatch: publish the wake-ups of due rows after the commit, and mark what the broker confirmed.

A wake-up carries a key and nothing else. Losing one costs time, never an alert: a row that was not
marked is dispatched again by recovery. So a broker that is down fails no request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alertops.db import Moment, database_now
from alertops.errors import BrokerUnavailableError
from alertops.faults import Point, reach
from alertops.services import transitions
from alertops.services.deliveries.announced import take_announced
from alertops.services.dispatch_failures import DispatchFault, count_failure
from alertops.services.keys import AttemptKey, HeartbeatKey, StepKey, TimerKey
from alertops.services.lanes import BULK, Shares
from alertops.services.transitions import Kind

FIRE_STEP = "alertops.fire_step"
FIRE_TIMER = "alertops.fire_timer"
CHECK_HEARTBEAT = "alertops.check_heartbeat"
SEND_ATTEMPT = "alertops.send_attempt"
SEND_LETTER = "alertops.send_letter"
SEND_DELIVERY = "alertops.send_delivery"
# The queues that they wait in; a channel's name follows the prefix.
FIRE_QUEUE = "fire"
SEND_QUEUES = "send."
LETTER_QUEUE = "send.letters"
EVENT_QUEUE = "send.events"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class StepWakeUp:
    """Wake somebody to fire this step at its due time."""

    key: StepKey
    due_at: datetime


@dataclass(frozen=True)
class TimerWakeUp:
    """Wake somebody at the time of this timer."""

    key: TimerKey
    due_at: datetime


@dataclass(frozen=True)
class AttemptWakeUp:
    """Wake somebody to send this attempt at its due time."""

    key: AttemptKey
    channel: str
    due_at: datetime


@dataclass(frozen=True)
class LetterWakeUp:
    """Wake somebody to send this letter at its due time."""

    letter_id: UUID
    due_at: datetime


@dataclass(frozen=True)
class HeartbeatWakeUp:
    """Wake somebody to look whether this job has pinged."""

    key: HeartbeatKey
    due_at: datetime


@dataclass(frozen=True)
class DeliveryWakeUp:
    """Wake somebody to deliver this event at its due time."""

    delivery_id: UUID
    due_at: datetime


WakeUp = StepWakeUp | TimerWakeUp | AttemptWakeUp | LetterWakeUp | HeartbeatWakeUp | DeliveryWakeUp


@dataclass(frozen=True)
class Message:
    """One task to publish: its name, its arguments, the queue's routing key, and seconds to wait."""

    task: str
    args: tuple[str | int, ...]
    routing_key: str
    delay_seconds: float


class Publisher(Protocol):
    """What dispatch needs of a broker."""

    def publish(self, messages: Sequence[Message]) -> list[bool]:
        """Publish all, wait for the confirms; say of each whether a queue has it.

        Raises `BrokerUnavailableError` when nothing is known, after a bounded time.
        """
        ...


class Dispatcher:
    """Publishes wake-ups and marks their rows; in the fast lane, unless it is told otherwise (`lanes.py`)."""

    def __init__(self, publisher: Publisher, *, shares: Shares | None = None, bulk: bool = False) -> None:
        self._publisher = publisher
        self._shares = shares or Shares()
        self._bulk = bulk

    def in_bulk(self) -> Dispatcher:
        """One that uses the bulk lane."""
        return Dispatcher(self._publisher, shares=self._shares, bulk=True)

    def within_share(self, team_id: UUID, count: int) -> Dispatcher:
        """The one for so many executions that this team starts: in its share of the fast lane, or in bulk."""
        return self if self._shares.takes(team_id, count) else self.in_bulk()

    def dispatch(
        self,
        session: Session,
        wake_ups: Sequence[WakeUp],
        *,
        recovering: bool = False,
        moment: Moment | None = None,
    ) -> int:
        """Publish the wake-ups of committed rows; return how many the broker confirmed.

        The session must have no transaction open; the events that it has committed for subscribers are woken
        with these. Nothing is raised when the broker or the database is down: what was committed stays
        committed, and recovery dispatches it. Whoever has just read the database's clock says so by `moment`,
        and it is not asked again.
        """
        announced = take_announced(session)
        if not wake_ups and not announced:
            return 0
        try:
            moment = moment or _read(session)
            wake_ups = [*wake_ups, *(DeliveryWakeUp(id_, moment.at) for id_ in announced)]
            return self._publish_and_mark(session, wake_ups, moment, recovering=recovering)
        except (BrokerUnavailableError, DBAPIError) as error:
            session.rollback()
            log.warning("dispatch_failed", rows=len(wake_ups), error=str(error), next="recovery dispatches")
            if isinstance(error, BrokerUnavailableError):
                count_failure(session, DispatchFault.UNAVAILABLE, len(wake_ups))
            return 0

    def _publish_and_mark(
        self, session: Session, wake_ups: Sequence[WakeUp], moment: Moment, *, recovering: bool
    ) -> int:
        messages = [_message(wake_up, moment.now(), bulk=self._bulk) for wake_up in wake_ups]
        confirmed = self._publisher.publish(messages)
        published = [w for w, ok in zip(wake_ups, confirmed, strict=True) if ok]
        if len(published) < len(wake_ups):
            log.warning(
                "dispatch_unconfirmed", rows=len(wake_ups) - len(published), next="recovery dispatches"
            )
        reach(Point.BEFORE_MARK, session)
        self._mark(session, published, moment.at, recovering=recovering)
        reach(Point.AFTER_MARK, session)
        if len(published) < len(wake_ups):
            count_failure(session, DispatchFault.UNCONFIRMED, len(wake_ups) - len(published))
        return len(published)

    @staticmethod
    def _mark(session: Session, published: Sequence[WakeUp], at: datetime, *, recovering: bool) -> None:
        """`at` is before they were published: a broker emptied since then is filled with them again."""
        if published:
            transitions.mark_dispatched(session, _keys(published), at, recovering=recovering)
            session.commit()


def _read(session: Session) -> Moment:
    moment = Moment(database_now(session))
    session.commit()
    return moment


def _keys(wake_ups: Sequence[WakeUp]) -> transitions.Keys:
    keys: dict[Kind, list[tuple[Any, ...]]] = {}
    for wake_up in wake_ups:
        match wake_up:
            case StepWakeUp(key):
                keys.setdefault(Kind.STEPS, []).append(key)
            case AttemptWakeUp(key):
                keys.setdefault(Kind.ATTEMPTS, []).append(key)
            case TimerWakeUp(key):
                keys.setdefault(Kind.TIMERS, []).append(key)
            case LetterWakeUp(letter_id):
                keys.setdefault(Kind.LETTERS, []).append((letter_id,))
            case HeartbeatWakeUp(key):
                keys.setdefault(Kind.HEARTBEATS, []).append(key)
            case DeliveryWakeUp(delivery_id):
                keys.setdefault(Kind.DELIVERIES, []).append((delivery_id,))
    # In one order, whatever came first: the statement for these kinds is made once.
    return dict(sorted(keys.items(), key=lambda item: item[0].name))


def _message(wake_up: WakeUp, now: datetime, *, bulk: bool) -> Message:
    lane = BULK if bulk else ""
    delay = max(0.0, (wake_up.due_at - now).total_seconds())
    match wake_up:
        case StepWakeUp(key):
            return Message(FIRE_STEP, (str(key.execution_id), *key[1:]), FIRE_QUEUE + lane, delay)
        case TimerWakeUp(key):
            return Message(FIRE_TIMER, (str(key.execution_id), key.number), FIRE_QUEUE + lane, delay)
        case AttemptWakeUp(key, channel):
            queue = f"{SEND_QUEUES}{channel}{lane}"
            return Message(SEND_ATTEMPT, (str(key.execution_id), *key[1:]), queue, delay)
        case LetterWakeUp(letter_id):
            return Message(SEND_LETTER, (str(letter_id),), LETTER_QUEUE, delay)
        case HeartbeatWakeUp(key):
            return Message(CHECK_HEARTBEAT, (str(key.heartbeat_id), key.wake), FIRE_QUEUE + lane, delay)
        case DeliveryWakeUp(delivery_id):
            return Message(SEND_DELIVERY, (str(delivery_id),), EVENT_QUEUE + lane, delay)
