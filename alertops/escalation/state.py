"""What is known of an execution when something happens to it, read under its row lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from alertops.escalation.flow import Flow, Node
from alertops.escalation.plan import Course, Firing, PlannedStep, plan
from alertops.escalation.states import ExecutionStatus


@dataclass(frozen=True)
class WaitingStep:
    """The one step that an execution waits for; there is never more than one."""

    number: int
    due_at: datetime
    firing: Firing


@dataclass(frozen=True)
class Leg:
    """What has become so far of the flow that is being run.

    A leg begins with the alert, and anew when the execution is reassigned. `fired` is in order; `last_fired`
    is the number of its last step that did, 0 when none has; `last_number` that of the last step there is.
    """

    fired: tuple[Firing, ...] = ()
    waiting: WaitingStep | None = None
    last_fired: int = 0
    last_number: int = 0


@dataclass(frozen=True)
class State:
    """`nodes` has the node of the step that the event is about; `leg` is known when something is planned.

    Steps before `first_step` are of earlier legs: what is left of them is not tried again.
    """

    status: ExecutionStatus
    flow: Flow
    course: Course
    started_at: datetime
    first_step: int = 1
    snoozed_until: datetime | None = None
    nodes: Mapping[int, Node] = field(default_factory=dict)
    leg: Leg = field(default_factory=Leg)

    @property
    def running(self) -> bool:
        return self.status is ExecutionStatus.RUNNING

    def runs(self, step: int) -> bool:
        """Whether what this step began still goes on."""
        return self.running and step >= self.first_step

    def node_of(self, step: int) -> Node:
        return self.nodes[step]


def to_come(state: State) -> Iterator[PlannedStep]:
    """The steps after those that there are, if nobody answers."""
    leg = state.leg
    known = {*leg.fired, leg.waiting.firing} if leg.waiting else {*leg.fired}
    yield from plan(state.flow, state.course, known, leg.last_number + 1)
