"""All that the database knows of one execution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertops.escalation.decision import Reason
from alertops.escalation.flow import Flow, Node
from alertops.escalation.plan import (
    Course,
    Firing,
    PlannedStep,
    Position,
    find_firing,
    next_position,
    plan_step,
)
from alertops.models import Attempt, Execution, Step, Timer

Deadline = Callable[[datetime], datetime]
"""By when that which is due at a time must have happened."""

# After these the node that fired last fires again.
CAME_BACK = (Reason.UNSNOOZED, Reason.ACK_TIMED_OUT, Reason.SNOOZE_OVER)


def within(patience: timedelta) -> Deadline:
    """The same patience at all times, as where nothing is known of outages."""
    return lambda due_at: due_at + patience


@dataclass(frozen=True)
class Stretch:
    """What was run from a step on, counted from what, since when, and why."""

    from_step: int
    first_step: int
    flow: Flow
    course: Course
    since: datetime
    reason: str | None = None


@dataclass(frozen=True)
class Span:
    """A time in which the execution ran; open at its end when it still does."""

    began_at: datetime
    ended_at: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        return self.began_at <= moment and (self.ended_at is None or moment <= self.ended_at)


@dataclass(frozen=True)
class History:
    """One execution, its plan and its rows, as of `now`; `stretches` and `spans` are in order."""

    execution: Execution
    stretches: Sequence[Stretch]
    spans: Sequence[Span]
    steps: Sequence[Step]
    attempts: Sequence[Attempt]
    told_nobody: frozenset[int]
    now: datetime
    deadline: Deadline
    # What the timeline says is to come of an end: attempts (step, target, number) that are to be tried
    # again, and steps that do not wait for their time.
    to_retry: frozenset[tuple[int, int, int]] = frozenset()
    brought_forward: frozenset[int] = frozenset()
    timers: Sequence[Timer] = ()

    def ran_at(self, moment: datetime) -> bool:
        """Whether it was to tell people then."""
        return any(span.holds(moment) for span in self.spans)

    def silent_since(self, moment: datetime) -> datetime:
        """The end of the time in which it ran at that moment; `now` if that has not ended."""
        ends = (span.ended_at for span in self.spans if span.ended_at is None or span.ended_at >= moment)
        return min(next(ends, None) or self.now, self.now)

    def stretch_of(self, step: int) -> Stretch:
        """What was run when this step was planned."""
        return [stretch for stretch in self.stretches if stretch.from_step <= step][-1]

    def left_behind_at(self, step: int) -> datetime | None:
        """When the execution was reassigned, and what this step had begun was to be gone on with no more."""
        return next((stretch.since for stretch in self.stretches if stretch.first_step > step), None)

    def given_up_at(self, step: Step) -> datetime:
        """When it was to fire no more: somebody answered, or changed the course; `now` if nobody did."""
        ends = [self.silent_since(step.created_at)]
        if (left_behind_at := self.left_behind_at(step.number)) is not None:
            ends.append(left_behind_at)
        if self.expected(step.number) is None:
            # A rebase to a revision that has nothing left for it.
            ends.append(self.stretch_of(step.number).since)
        return min(ends)

    def expected(self, step: int) -> PlannedStep | None:
        """What the plan has at this number, after what had fired before; None when nothing was left."""
        stretch = self.stretch_of(step)
        place = self._place(stretch, step)
        return None if place is None else plan_step(stretch.flow, stretch.course, place, step)

    def left_after(self, step: Step) -> bool:
        """Whether what was run when this step was planned had anything left once it had fired."""
        stretch = self.stretch_of(step.number)
        return next_position(stretch.flow, self._fired(stretch, step.number + 1).keys()) is not None

    def node_of(self, step: int) -> Node:
        """The node that this step fires."""
        row = next(row for row in self.steps if row.number == step)
        return next(node for node in self.stretch_of(step).flow.nodes if node.id == row.node_id)

    def name(self, step: int) -> str:
        return f"step {step} of {self.execution.id}"

    def _place(self, stretch: Stretch, step: int) -> Position | None:
        fired = self._fired(stretch, step)
        if step == stretch.from_step and stretch.reason in CAME_BACK and fired:
            stands_at = find_firing(stretch.flow, list(fired)[-1])
            if stands_at is not None:
                return stands_at
        return next_position(stretch.flow, fired.keys())

    def _fired(self, stretch: Stretch, before: int) -> dict[Firing, int]:
        """What had fired of it before this step, in order of its last firing, and under which number."""
        fired: dict[Firing, int] = {}
        for row in self.steps:
            if stretch.first_step <= row.number < before and row.fired_at is not None:
                firing = Firing(row.round, row.node_id)
                fired.pop(firing, None)
                fired[firing] = row.number
        return fired
