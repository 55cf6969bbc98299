"""What a preview tells is what the engine does: the same flow, run for real with time moved, gives the same.

The flows are made up, and so is what goes wrong. The run is of the real services on a real Postgres; each
wake-up comes when it is due, in the order in which the preview has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from alertops.channels.base import Certainty, ChannelError, Notification
from alertops.db import database_now
from alertops.escalation.flow import Flow, Node, OnFailure, OnUnknown, RetryPolicy
from alertops.escalation.preview import Entry, WhatIf, preview
from alertops.escalation.rows import Target
from alertops.models import Attempt, Step, TimelineEntry, Timer
from alertops.services.acknowledge import acknowledge
from alertops.services.fire_timer import fire_timer
from alertops.services.keys import TimerKey
from alertops.services.operate import By
from tests.integration.world import World

# All delays and pauses are multiples of this, and the run itself takes less: times can be told apart.
UNIT = 20
TOLERANCE = timedelta(seconds=UNIT / 4)
NOBODY = {"type": "user", "user_id": str(UUID(int=1))}
MAX_WAKE_UPS = 200

seconds = st.sampled_from([0, UNIT, 3 * UNIT, 10 * UNIT])


def recipient(name: str) -> dict[str, Any]:
    return {"type": "email", "email": f"{name}@example.com"}


recipients = st.sampled_from(
    [
        recipient("a"),
        recipient("b"),
        NOBODY,
        {"type": "group", "recipients": [recipient("c"), recipient("d")]},
    ]
)
nodes = st.builds(
    Node,
    id=st.just(""),
    name=st.sampled_from(["first", "second"]),
    recipient=recipients,
    delay_seconds=seconds,
    retry=st.builds(
        RetryPolicy,
        max_attempts=st.integers(1, 3),
        backoff_seconds=st.sampled_from([UNIT, 2 * UNIT]),
        backoff_factor=st.sampled_from([1.0, 2.0]),
        jitter=st.just(0.0),
        budget_seconds=st.sampled_from([None, 3 * UNIT]),
    ),
    on_failure=st.sampled_from(OnFailure),
    on_unknown=st.sampled_from(OnUnknown),
)


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    drawn = draw(st.lists(nodes, min_size=1, max_size=3))
    return Flow(
        tuple(replace(node, id=str(UUID(int=number))) for number, node in enumerate(drawn, start=10)),
        repeat=draw(st.integers(0, 1)),
        ack_timeout_seconds=draw(st.sampled_from([None, 5 * UNIT])),
        resolve_after_seconds=draw(st.sampled_from([None, 15 * UNIT + 60])),
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[Flow, int | None, frozenset[str], frozenset[str]]:
    """A flow, when somebody answers, and the nodes that fail and that are not answered."""
    flow = draw(flows())
    ids = [node.id for node in flow.nodes]
    failing = frozenset(draw(st.sets(st.sampled_from(ids))))
    unknown = frozenset(draw(st.sets(st.sampled_from(ids)))) - failing
    # Between two multiples: whether an answer comes before what is due at the same time is nobody's to say.
    answered = draw(st.none() | st.integers(0, 12).map(lambda n: n * UNIT + UNIT // 2))
    return flow, answered, failing, unknown


class Real:
    """One execution of the real services; time is moved to each thing that waits, the earliest first."""

    def __init__(self, world: World, flow: Flow, failing: frozenset[str], unknown: frozenset[str]) -> None:
        self.world = world
        self.node_of = {node.id: node for node in flow.nodes}
        self.failing, self.unknown = failing, unknown
        row = world.flow(
            *flow.nodes,
            repeat=flow.repeat,
            ack_timeout_seconds=flow.ack_timeout_seconds,
            resolve_after_seconds=flow.resolve_after_seconds,
        )
        world.channel.on_open = self._open
        world.channel.on_transmit = self._transmit
        self.execution = world.start(row)
        self.start = self.execution.created_at
        self.passed = timedelta()

    def run(self, answered: int | None) -> None:
        answer_at = None if answered is None else timedelta(seconds=answered)
        for _ in range(MAX_WAKE_UPS):
            waits = min(self._waiting(), default=None)
            if answer_at is not None and (waits is None or answer_at < waits[0]):
                self._move_to(answer_at)
                by = By(self.world.owner.id)
                if self.world.status(self.execution) not in ("resolved", "acknowledged"):
                    acknowledge(self.world.session, self.world.dispatcher, self.execution.id, by)
                answer_at = None
            elif waits is None:
                return
            else:
                self._move_to(waits[0])
                self._wake(waits)
        raise AssertionError("it goes on for ever")

    def _waiting(self) -> Iterator[tuple[timedelta, int, tuple[int, ...]]]:
        """What waits, as long after the start as it is due, and in the order of one moment."""
        id_ = self.execution.id
        self.world.session.expire_all()
        session = self.world.session
        for timer in session.scalars(
            select(Timer).where(Timer.execution_id == id_, Timer.status == "waiting")
        ):
            yield self._since(timer.due_at), 1, (timer.number,)
        for step in session.scalars(select(Step).where(Step.execution_id == id_, Step.status == "waiting")):
            yield self._since(step.due_at), 2, (step.number,)
        open_ = (Attempt.execution_id == id_, Attempt.status == "scheduled")
        for row in session.scalars(select(Attempt).where(*open_)):
            yield self._since(row.due_at), 3, (row.step_number, row.target_number, row.number)
        session.commit()

    def _since(self, at: datetime) -> timedelta:
        return at + self.passed - self.start

    def _move_to(self, offset: timedelta) -> None:
        """Let time pass until then, by the database's clock."""
        now = database_now(self.world.session)
        self.world.session.commit()
        ahead = offset - self._since(now)
        if ahead > timedelta():
            ahead += timedelta(milliseconds=1)
            self.world.pass_time(self.execution, ahead.total_seconds())
            self.passed += ahead

    def _wake(self, waits: tuple[timedelta, int, tuple[int, ...]]) -> None:
        _, kind, key = waits
        if kind == 1:
            fire_timer(self.world.session, self.world.dispatcher, TimerKey(self.execution.id, *key))
        elif kind == 2:
            self.world.fire(self.execution, *key)
        else:
            step, target, attempt = key
            self.world.send(self.execution, step, attempt, target=target)

    def _node(self, notification: Notification) -> str:
        query = select(Step.node_id).where(
            Step.execution_id == UUID(notification.execution_id), Step.number == notification.step
        )
        return self.world.session.scalars(query).one()

    def _open(self, notification: Notification) -> None:
        if self._node(notification) in self.failing:
            raise ChannelError("try again", permanent=False, certainty=Certainty.NOT_SENT)

    def _transmit(self, notification: Notification) -> None:
        if self._node(notification) in self.unknown:
            raise ChannelError("no answer", permanent=False, certainty=Certainty.UNKNOWN)

    def told(self) -> list[tuple[str, int | None, int | None, int | None, timedelta]]:
        entries = self.world.session.scalars(
            select(TimelineEntry)
            .where(TimelineEntry.execution_id == self.execution.id)
            .order_by(TimelineEntry.id)
        )
        return [
            (e.event, e.step_number, e.target_number, e.attempt_number, self._since(e.at))
            for e in entries
            if e.event not in ("course_changed", "attempt_claimed_again", "recipient_left_out")
        ]


def targets_of(node: Node, _: datetime) -> list[Target]:
    match node.recipient["type"]:
        case "email":
            return [Target("email", node.recipient["email"])]
        case "group":
            return [Target("email", one["email"]) for one in node.recipient["recipients"]]
        case _:
            return []


def order(entry: tuple[Any, ...]) -> Any:
    """Of what happens in one moment and one transaction the order is nobody's concern."""
    return (round(entry[4] / (2 * TOLERANCE)), str(entry[:4]))


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(asked=questions())
def test_the_engine_does_what_the_preview_said(
    world: World, asked: tuple[Flow, int | None, frozenset[str], frozenset[str]]
) -> None:
    flow, answered, failing, unknown = asked
    world.session.execute(text("DELETE FROM executions"))
    world.session.commit()
    real = Real(world, flow, failing, unknown)
    what_if = WhatIf(None if answered is None else real.start + timedelta(seconds=answered), failing, unknown)
    said = preview(flow, real.start, targets_of, what_if)
    real.run(answered)
    expected = sorted((as_told(entry, real.start) for entry in said.entries), key=order)
    found = sorted(real.told(), key=order)
    assert [entry[:4] for entry in found] == [entry[:4] for entry in expected]
    late = [
        (was, will) for was, will in zip(found, expected, strict=True) if abs(was[4] - will[4]) > TOLERANCE
    ]
    assert not late
    assert world.status(real.execution) == said.status


def as_told(entry: Entry, start: datetime) -> tuple[str, int | None, int | None, int | None, timedelta]:
    return entry.event, entry.step, entry.target, entry.attempt, entry.at - start


@pytest.mark.parametrize("count", [1, 2])
def test_the_comparison_sees_a_node_that_waits_otherwise(world: World, count: int) -> None:
    """The judge is judged: a preview of another flow is not what the engine does."""
    node = Node(str(UUID(int=10)), "first", recipient("a"), UNIT, RetryPolicy(jitter=0.0))
    real = Real(world, Flow((node,), repeat=count), frozenset(), frozenset())
    other = Flow((replace(node, delay_seconds=2 * UNIT),), repeat=count)
    real.run(None)
    told = [as_told(entry, real.start) for entry in preview(other, real.start, targets_of).entries]
    found = real.told()
    assert [entry[:4] for entry in found] == [entry[:4] for entry in told]
    assert any(abs(was[4] - will[4]) > TOLERANCE for was, will in zip(found, told, strict=True))
