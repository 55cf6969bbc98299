"""Flow + anchor -> the exact timeline of its steps.

The due time of a step is the anchor plus the delays of all nodes up to it. It never depends on when
an earlier step really fired, so lateness does not add up along a flow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertops.escalation.flow import Flow


@dataclass(frozen=True)
class PlannedStep:
    """One firing of a node. `number` counts from 1 through all rounds; the other two count from 0."""

    number: int
    round: int
    node_index: int
    due_at: datetime


def step_count(flow: Flow) -> int:
    """How many steps a run of the flow has when nobody answers."""
    return len(flow.nodes) * (flow.repeat + 1)


def planned_step(flow: Flow, anchor_at: datetime, number: int) -> PlannedStep | None:
    """The step with this number, or None when the flow ends before it."""
    if number > step_count(flow):
        return None
    round_, index = divmod(number - 1, len(flow.nodes))
    delays = [node.delay_seconds for node in flow.nodes]
    offset = round_ * sum(delays) + sum(delays[: index + 1])
    return PlannedStep(number, round_, index, anchor_at + timedelta(seconds=offset))


def plan(flow: Flow, anchor_at: datetime) -> Iterator[PlannedStep]:
    """Every step in order, with its due time."""
    for number in range(1, step_count(flow) + 1):
        step = planned_step(flow, anchor_at, number)
        if step is not None:
            yield step
