"""Flow + anchor -> the exact timeline of its steps.

The due time of a step is the anchor plus the delays of all nodes up to it. It never depends on when
an earlier step really fired, so lateness does not add up along a flow.

What fires next is the first position of the plan whose node has not fired in that round. Mostly that is the
position after the last one; after an edit that the execution was moved to it is whatever the edit left over.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from alertops.escalation.flow import Flow, Node


class Firing(NamedTuple):
    """What has fired, or is to: this node in this round, counted from 0. Edits leave a node its id."""

    round: int
    node_id: str


class Position(NamedTuple):
    """A place in the plan; both count from 0."""

    round: int
    node_index: int


@dataclass(frozen=True)
class Course:
    """What due times are counted from.

    Whoever changes an execution's course (by going on from another time, or with another flow) leaves things
    behind that would have been due in the past. They are due at `not_before`, when it was changed.
    """

    anchor_at: datetime
    not_before: datetime | None = None


@dataclass(frozen=True)
class PlannedStep:
    """One firing of a node. `number` counts all steps of an execution from 1; the next two count from 0."""

    number: int
    round: int
    node_index: int
    due_at: datetime
    node_id: str
    node_name: str

    @property
    def firing(self) -> Firing:
        return Firing(self.round, self.node_id)


def step_count(flow: Flow) -> int:
    """How many steps a run of the flow has when nobody answers."""
    return len(flow.nodes) * (flow.repeat + 1)


def positions(flow: Flow) -> Iterator[Position]:
    """All places of the plan, in order."""
    for round_ in range(flow.repeat + 1):
        for index in range(len(flow.nodes)):
            yield Position(round_, index)


def node_at(flow: Flow, position: Position) -> Node:
    """The node that stands there."""
    return flow.nodes[position.node_index]


def offset(flow: Flow, position: Position) -> timedelta:
    """From the anchor to the due time of this place."""
    delays = [node.delay_seconds for node in flow.nodes]
    return timedelta(seconds=position.round * sum(delays) + sum(delays[: position.node_index + 1]))


def course_through(flow: Flow, position: Position, at: datetime) -> Course:
    """The course on which this place is due then, and nothing before."""
    return Course(at - offset(flow, position), at)


def plan_step(flow: Flow, course: Course, position: Position, number: int) -> PlannedStep:
    """The step that fires this place under this number."""
    due_at = course.anchor_at + offset(flow, position)
    node = node_at(flow, position)
    floor = course.not_before or due_at
    return PlannedStep(number, *position, max(due_at, floor), node.id, node.name)


def next_position(flow: Flow, fired: Set[Firing]) -> Position | None:
    """The first place that has not fired, or None when all have."""
    return next((place for place in positions(flow) if firing_at(flow, place) not in fired), None)


def firing_at(flow: Flow, position: Position) -> Firing:
    """What fires at this place."""
    return Firing(position.round, node_at(flow, position).id)


def find_firing(flow: Flow, firing: Firing) -> Position | None:
    """Where this stands in the plan; None when it does not any more."""
    return next((place for place in positions(flow) if firing_at(flow, place) == firing), None)


def plan(
    flow: Flow, course: Course, fired: Set[Firing] = frozenset(), first_number: int = 1
) -> Iterator[PlannedStep]:
    """Every step that has not fired, in order, with its due time; numbered from there on."""
    left = (place for place in positions(flow) if firing_at(flow, place) not in fired)
    for number, place in enumerate(left, start=first_number):
        yield plan_step(flow, course, place, number)
