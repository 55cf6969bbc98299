"""All that the database knows of one execution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertops.escalation.flow import Flow, Node
from alertops.escalation.plan import PlannedStep
from alertops.models import Attempt, Execution, Step

Deadline = Callable[[datetime], datetime]
"""By when that which is due at a time must have happened."""


def within(patience: timedelta) -> Deadline:
    """The same patience at all times, as where nothing is known of outages."""
    return lambda due_at: due_at + patience


@dataclass(frozen=True)
class History:
    """One execution, its plan and its rows, as of `now`."""

    execution: Execution
    flow: Flow
    planned: Sequence[PlannedStep]
    steps: Sequence[Step]
    attempts: Sequence[Attempt]
    told_nobody: frozenset[int]
    now: datetime
    deadline: Deadline
    # What the timeline says is to come of an end: attempts (step, target, number) that are to be tried
    # again, and steps that do not wait for their time.
    to_retry: frozenset[tuple[int, int, int]] = frozenset()
    brought_forward: frozenset[int] = frozenset()

    @property
    def answered_at(self) -> datetime | None:
        """When somebody answered; an execution that went to its end was never answered."""
        if self.execution.status == "exhausted":
            return None
        return self.execution.acknowledged_at or self.execution.ended_at

    def must_have_happened(self, due_at: datetime) -> bool:
        """Whether what was due then is lost if it has not happened, rather than late or not wanted."""
        if self.execution.status == "exhausted":
            return True
        return self.deadline(due_at) <= min(self.answered_at or self.now, self.now)

    def node_of(self, step: int) -> Node:
        return self.flow.nodes[(step - 1) % len(self.flow.nodes)]

    def name(self, step: int) -> str:
        return f"step {step} of {self.execution.id}"
