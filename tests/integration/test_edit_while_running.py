"""A flow is edited while an execution of it runs: the execution goes on as it began, to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from flask import Flask
from sqlalchemy import func, select

from alertops.channels.base import ChannelError, Notification
from alertops.escalation.decision import Reason
from alertops.models import Execution, FlowRevision
from alertops.models import Flow as FlowRow
from tests.integration.api_client import a_flow, a_node, person
from tests.integration.editing import EditedFlow
from tests.integration.world import World

# Two rounds of three nodes; the first attempt of each step is refused, so each step is retried.
STEPS = range(1, 7)
WHOLE_RUN = [(name, 2) for name in "abcabc"]
RETRY = {"max_attempts": 2, "backoff_seconds": 10, "backoff_factor": 1}


def refuse_the_first(notification: Notification) -> None:
    if notification.attempt == 1:
        raise ChannelError("450 try later")


@dataclass
class Night:
    """A flow that somebody edits, in a world in which it runs. `between` is called at each moment."""

    world: World
    flow: EditedFlow
    between: Callable[[str], None] = lambda _: None
    told: list[tuple[str, int]] = field(default_factory=list)

    def start(self) -> Execution:
        self.world.session.rollback()
        flow = self.world.session.scalars(select(FlowRow)).one()
        return self.world.start(flow)

    def run(self, execution: Execution) -> None:
        """Let time go by, step after step and retry after retry, until nothing is left."""
        self.world.channel.on_transmit = lambda sent: self.told.append(
            (sent.address.partition("@")[0], sent.attempt)
        )
        self.world.channel.on_open = refuse_the_first
        for step in STEPS:
            self.between(f"before step {step}")
            self.world.pass_time(execution, 60)
            assert self.world.fire(execution, step) is Reason.DUE
            assert self.world.send(execution, step) is Reason.RETRY
            self.between(f"before the retry of step {step}")
            self.world.pass_time(execution, 10)
            assert self.world.send(execution, step, 2) is Reason.REACHED

    def offsets(self, execution: Execution) -> list[float]:
        """When each step was planned, in seconds after the start."""
        steps = self.world.steps(execution)
        return [(step.planned_at - execution.anchor_at).total_seconds() for step in steps]

    def edit_everything(self) -> None:
        a, b, c = self.flow.ids()
        self.flow.edit("PUT", "/nodes/order", {"node_ids": [c, b, a]})
        mail = {"type": "email", "email": "other@example.org"}
        self.flow.edit("PATCH", f"/nodes/{a}", {"recipient": mail, "delay_seconds": 1})
        self.flow.edit("PATCH", f"/nodes/{b}", {"retry": {"max_attempts": 1}, "on_failure": "wait"})
        self.flow.edit("DELETE", f"/nodes/{c}")
        self.flow.edit("POST", "/nodes", a_node("new", position=0, delay_seconds=5))
        self.flow.edit("PATCH", body={"repeat": 0})


@pytest.fixture
def night(app: Flask, world: World) -> Night:
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    nodes = [a_node(name, retry=RETRY) for name in "abc"]
    flow = ann.make(f"/teams/{team}/flows", a_flow(*nodes, repeat=1))
    return Night(world, EditedFlow(ann, flow["id"]))


@pytest.mark.parametrize(
    "moment", ["before step 1", "before the retry of step 2", "before step 4", "before the retry of step 6"]
)
def test_an_execution_runs_to_its_end_as_its_revision_says(night: Night, moment: str) -> None:
    reached: list[str] = []

    def edit_and_archive(now: str) -> None:
        if now == moment:
            reached.append(now)
            night.edit_everything()
            night.flow.edit("DELETE")

    night.between = edit_and_archive
    execution = night.start()
    night.run(execution)
    assert reached == [moment]
    assert night.told == WHOLE_RUN
    assert night.offsets(execution) == [60, 120, 180, 240, 300, 360]
    assert night.world.status(execution) == "exhausted"
    shown = night.flow.ann.get(f"/executions/{execution.id}").json or {}
    assert shown["revision"] == 1
    assert "".join(step["node_name"] for step in shown["steps"]) == "abcabc"
    assert night.flow.names() == "new b a"


def test_the_next_execution_runs_as_the_edited_flow_says(night: Night) -> None:
    old = night.start()
    night.edit_everything()
    new = night.start()
    assert (old.revision_number, new.revision_number) == (1, 7)
    shown = night.flow.ann.get(f"/executions/{new.id}").json or {}
    assert [step["node_name"] for step in shown["steps"]] == ["new", "b", "a"]
    assert night.world.session.scalar(select(func.count()).select_from(FlowRevision)) == 7
