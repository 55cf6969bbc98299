"""What should come of it: the pure machine in memory, and the workers that are in the middle of a send.

The engine of the unit tests keeps the rows; it asks the machine, and checks what it applies. Here are
added what the machine does not know: which worker holds which claim, and how far it has got with it.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from alertops.config import Timing
from alertops.escalation.decision import Reason
from alertops.escalation.events import Acknowledge, Resolve
from alertops.escalation.flow import Flow
from alertops.escalation.states import TERMINAL, AttemptStatus, ExecutionStatus
from alertops.faults import Point
from alertops.models import Attempt, Step
from tests.unit.engine import ANCHOR, LEASE, RUNNING, AttemptId, Engine

NEEDED = timedelta(seconds=Timing().send_deadline / 2)
# The services' jitter is drawn; in these tests it is always this.
JITTER = 0.5
CLAIMED = (Reason.DUE, Reason.RECLAIM, Reason.RESEND)
REFUSED = "refused"

assert timedelta(seconds=Timing().lease) == LEASE


class Fate(Enum):
    """What the provider does: at the opening, or when the message is transmitted."""

    NOT_OPENED = (AttemptStatus.FAILED, False)
    NOT_KNOWN_THERE = (AttemptStatus.FAILED, True)
    ACCEPTED = (AttemptStatus.DELIVERED, False)
    REFUSED_FOR_NOW = (AttemptStatus.FAILED, False, "transmit")
    REFUSED_FOR_GOOD = (AttemptStatus.FAILED, True, "transmit")
    CONNECTION_LOST = (AttemptStatus.UNKNOWN, False)

    @property
    def at_opening(self) -> bool:
        return self in (Fate.NOT_OPENED, Fate.NOT_KNOWN_THERE)

    @property
    def outcome(self) -> tuple[AttemptStatus, bool]:
        """How the send ended, and whether for good."""
        return self.value[0], self.value[1]


@dataclass
class Sender:
    """A worker in the middle of a send."""

    key: AttemptId
    claim: int
    may_repeat: bool
    stands_at: Point = Point.AFTER_OPEN


@dataclass
class Oracle:
    """Predicts what each service answers and leaves; time is the database's, counted from the anchor."""

    flow: Flow
    anchor: datetime
    senders: dict[str, Sender] = field(default_factory=dict)
    accepted: list[tuple[AttemptId, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = Engine(self.flow)

    def at(self, now: datetime) -> Oracle:
        """A copy, for which it is now."""
        copy = deepcopy(self)
        copy.engine.now = self.virtual(now)
        return copy

    def virtual(self, time: datetime) -> datetime:
        return ANCHOR + (time - self.anchor)

    def holds(self, sender: Sender) -> bool:
        """Whether the claim of this worker is still the one that counts."""
        row = self.engine.attempts[sender.key]
        return row.status is AttemptStatus.SENDING and row.claims == sender.claim

    def wakes_at(self, key: tuple[int, ...]) -> datetime:
        """When a wake-up for this row finds something to do."""
        if len(key) == 1:
            return self.engine.steps[key[0]].due_at
        step, target, number = key
        row = self.engine.attempts[step, target, number]
        return row.lease_until if row.status is AttemptStatus.SENDING and row.lease_until else row.due_at

    # ---- what the services are predicted to answer

    def fire(self, step: int, targets: int) -> Reason:
        return self.engine.wake_step(step, targets)

    def send(self, worker: str, key: AttemptId, fate: Fate) -> Point | Reason:
        """A wake-up: up to the opened conversation, when there is something to send."""
        reason = self.engine.wake_attempt(key)
        if reason not in CLAIMED:
            return reason
        row = self.engine.attempts[key]
        self.senders[worker] = Sender(key, row.claims, row.may_repeat)
        if fate.at_opening:
            return self._record(worker, *fate.outcome)
        return Point.AFTER_OPEN

    def go_on(self, worker: str, fate: Fate) -> Point | Reason:
        """From one stop of a send to the next."""
        sender = self.senders[worker]
        if sender.stands_at is Point.AFTER_TRANSMIT:
            return self._record(worker, *Fate.ACCEPTED.outcome)
        if sender.stands_at is Point.AFTER_OPEN:
            return self._mark(worker, sender)
        if fate is Fate.ACCEPTED:
            self.accepted.append((sender.key, sender.may_repeat))
            sender.stands_at = Point.AFTER_TRANSMIT
            return sender.stands_at
        return self._record(worker, *fate.outcome)

    def answer(self, event: Acknowledge | Resolve) -> Any:
        """Whether it changed anything, and what was in flight, under which claim; or that it was refused."""
        to = ExecutionStatus.ACKNOWLEDGED if isinstance(event, Acknowledge) else ExecutionStatus.RESOLVED
        before = self.engine.status
        if before in TERMINAL and before is not to:
            return REFUSED
        in_flight = [
            (key, row.claims)
            for key, row in sorted(self.engine.attempts.items())
            if row.status is AttemptStatus.SENDING
        ]
        self.engine.answer(event)
        return before is not to, in_flight

    def _mark(self, worker: str, sender: Sender) -> Point | Reason:
        if self.engine.status is not RUNNING:
            return self._record(worker, AttemptStatus.CANCELLED, False)
        row = self.engine.attempts[sender.key]
        lasts = row.lease_until is not None and row.lease_until >= self.engine.now + NEEDED
        if not (self.holds(sender) and lasts):
            del self.senders[worker]
            return Reason.STALE
        sender.stands_at = Point.AFTER_TRANSMIT_MARK
        row.transmitted = True
        return sender.stands_at

    def _record(self, worker: str, outcome: AttemptStatus, permanent: bool) -> Reason:
        sender = self.senders.pop(worker)
        if not self.holds(sender):
            return Reason.STALE
        return self.engine.end(sender.key, outcome, permanent, JITTER)

    # ---- the rows, as they should be

    def compare(self, status: str, steps: list[Step], attempts: list[Attempt], slack: timedelta) -> list[str]:
        """All that is otherwise than predicted. Times that depend on the moment are taken over."""
        found: list[str] = []

        def same(what: str, actual: object, expected: object) -> None:
            if actual != expected:
                found.append(f"{what} is {actual}, and not {expected}")

        same("execution", status, self.engine.status)
        same("steps", [step.number for step in steps], sorted(self.engine.steps))
        keys = [(row.step_number, row.target_number, row.number) for row in attempts]
        same("attempts", keys, sorted(self.engine.attempts))
        if not found:
            for step in steps:
                self._compare_step(step, slack, same)
            for attempt in attempts:
                self._compare_attempt(attempt, slack, same)
        return found

    def _compare_step(self, step: Step, slack: timedelta, same: Any) -> None:
        row, planned = self.engine.steps[step.number], self.engine.steps[step.number].planned.due_at
        same(f"step {step.number}: status", step.status, row.status)
        same(f"step {step.number}: planned_at", self.virtual(step.planned_at), planned)
        exact = row.due_at == planned
        row.due_at = self._time(
            f"step {step.number}: due_at", step.due_at, row.due_at, slack * (not exact), same
        )
        row.fired_at = self._time(f"step {step.number}: fired_at", step.fired_at, row.fired_at, slack, same)

    def _compare_attempt(self, attempt: Attempt, slack: timedelta, same: Any) -> None:
        key = (attempt.step_number, attempt.target_number, attempt.number)
        row = self.engine.attempts[key]
        for what, actual, expected in (
            ("status", attempt.status, row.status),
            ("claim_number", attempt.claim_number, row.claims),
            ("may_repeat", attempt.may_repeat, row.may_repeat),
            ("marked", attempt.transmit_at is not None, row.transmitted),
        ):
            same(f"attempt {key}: {what}", actual, expected)
        row.lease_until = self._time(
            f"attempt {key}: lease_until", attempt.lease_until, row.lease_until, slack, same
        )
        row.due_at = self._time(f"attempt {key}: due_at", attempt.due_at, row.due_at, slack, same)

    def _time(self, what: str, actual: datetime | None, expected: Any, slack: timedelta, same: Any) -> Any:
        """A prediction is made for the begin of the moment, or for its end; what is true lies within it."""
        if actual is None or expected is None:
            same(what, actual, expected)
            return expected
        if abs(self.virtual(actual) - expected) > slack:
            same(what, self.virtual(actual), f"within {slack} of {expected}")
        return self.virtual(actual)
