"""One execution's steps and attempts in memory: to a preview they are what the tables are to the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from alertops.escalation.events import Due, Progress
from alertops.escalation.flow import Node
from alertops.escalation.plan import PlannedStep
from alertops.escalation.state import Leg, WaitingStep
from alertops.escalation.states import UNFINISHED, AttemptStatus, StepStatus

AttemptId = tuple[int, int, int]
"""Step, target and attempt, by their numbers."""


@dataclass(frozen=True)
class Target:
    """Whom a node would tell: an address on a channel, so long after the step is due."""

    channel: str
    address: str
    after_seconds: int = 0


@dataclass
class StepRow:
    """A step, as planned and as it came."""

    planned: PlannedStep
    node: Node
    due_at: datetime
    status: StepStatus = StepStatus.WAITING


@dataclass
class AttemptRow:
    """A try at a target."""

    target: Target
    due_at: datetime
    may_repeat: bool = False
    status: AttemptStatus = AttemptStatus.SCHEDULED


@dataclass
class Rows:
    """All that there are of one execution, by their numbers."""

    steps: dict[int, StepRow] = field(default_factory=dict)
    attempts: dict[AttemptId, AttemptRow] = field(default_factory=dict)

    def cancel_waiting(self) -> None:
        """What waits will not come."""
        for step in self.steps.values():
            if step.status is StepStatus.WAITING:
                step.status = StepStatus.CANCELLED
        for attempt in self.attempts.values():
            if attempt.status is AttemptStatus.SCHEDULED:
                attempt.status = AttemptStatus.CANCELLED

    def leg(self) -> Leg:
        """What has fired, and what waits."""
        fired = [n for n, step in self.steps.items() if step.status is StepStatus.FIRED]
        waiting = self._waiting()
        return Leg(
            fired=tuple(self.steps[n].planned.firing for n in fired),
            waiting=self._waiting_step(waiting) if waiting else None,
            last_fired=fired[-1] if fired else 0,
            last_number=max(self.steps, default=0),
        )

    def progress(self, number: int, but: AttemptId | None = None) -> Progress:
        """How far it is, as seen from this step, leaving out one attempt."""
        rows = [(key[0] == number, row.status) for key, row in self.attempts.items() if key != but]
        waiting = self._waiting()
        return Progress(
            waiting=Due(waiting, self.steps[waiting].due_at) if waiting else None,
            reached=any(here and status is AttemptStatus.DELIVERED for here, status in rows),
            open_in_step=sum(here and status in UNFINISHED for here, status in rows),
            open_elsewhere=sum(not here and status in UNFINISHED for here, status in rows),
        )

    def _waiting(self) -> int | None:
        return next((n for n, step in self.steps.items() if step.status is StepStatus.WAITING), None)

    def _waiting_step(self, number: int) -> WaitingStep:
        step = self.steps[number]
        return WaitingStep(number, step.due_at, step.planned.firing)
