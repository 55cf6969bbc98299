"""What a step with one e-mail target costs, counted: a number that grows here is paid for every alert.

Counts do not depend on what else the machine does; times do, and are not asked for here
(`python -m tests.benchmarks.step_cpu` measures them).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import commit_without_flush
from alertops.escalation.decision import Reason
from alertops.models import Execution, Flow, TimelineEntry
from alertops.services.fire_step import fire_step
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.send_attempt import send_attempt
from alertops.services.start_execution import Alert, start_execution
from tests.integration.counting import Cost, counted
from tests.integration.subscribing import subscribe
from tests.integration.world import World, node

Work = Callable[[Session], object]

_WRITE = text("INSERT INTO teams (name) VALUES ('Another')")


class Meter:
    """Runs work as a worker does: in a session of its own, which knows nothing yet."""

    def __init__(self, world: World, sessions: sessionmaker[Session]) -> None:
        self.world = world
        self._sessions = sessions

    def cost_of(self, work: Work) -> tuple[Cost, int]:
        """What it cost, and how many messages it published."""
        before = len(self.world.publisher.messages)
        with self._sessions() as session, counted(self._sessions.kw["bind"]) as cost:
            work(session)
        return cost, len(self.world.publisher.messages) - before

    def fire(self, execution: Execution) -> Work:
        return lambda session: _expect(
            Reason.DUE, fire_step(session, self.world.dispatcher, StepKey(execution.id, 1))
        )

    def send(self, execution: Execution) -> Work:
        channels = {"email": self.world.channel}
        key = AttemptKey(execution.id, 1, 1, 1)
        return lambda session: _expect(
            Reason.REACHED, send_attempt(session, self.world.dispatcher, channels, self.world.timing, key)
        )


def _expect(expected: Reason, reason: Reason) -> None:
    assert reason is expected


@pytest.fixture
def meter(world: World, sessions: sessionmaker[Session]) -> Meter:
    """Everything that is remembered between steps is known already: a first one has gone through.

    Over the only connection that there is, whatever other tests have opened: each remembers for itself.
    """
    world.session.rollback()
    sessions.kw["bind"].dispose()
    meter = Meter(world, sessions)
    first = _waiting(world)
    for work in (meter.fire(first), meter.send(first)):
        meter.cost_of(work)
    return meter


def _waiting(world: World) -> Execution:
    """An execution whose first step is due, and whose address has been told before."""
    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    world.session.commit()
    return execution


def test_starting_an_execution(meter: Meter, world: World) -> None:
    flow_id = _waiting(world).flow_id

    def start(session: Session) -> None:
        flow = session.get_one(Flow, flow_id)
        assert start_execution(
            session, world.dispatcher, flow, Alert("Disk is full", "info", {}), None
        ).created

    cost, messages = meter.cost_of(start)
    assert (cost.commits, cost.flushes, messages) == (2, 1, 1)


def test_firing_a_step(meter: Meter, world: World) -> None:
    cost, messages = meter.cost_of(meter.fire(_waiting(world)))
    # The firing, and the mark that two messages were published: the attempt's, and the next step's.
    assert (cost.commits, cost.flushes, messages) == (2, 1, 2)
    assert cost.statements <= 8
    assert cost.round_trips <= 11
    # How many of a handful the planner reads is its own choice; what grows with a history is far more.
    assert cost.rows_read <= 40


def test_sending_an_attempt(meter: Meter, world: World) -> None:
    execution = _waiting(world)
    meter.cost_of(meter.fire(execution))
    cost, messages = meter.cost_of(meter.send(execution))
    # Claim, mark and outcome; the claim is on disk with the mark.
    assert (cost.commits, cost.flushes, messages) == (3, 2, 0)
    assert cost.statements <= 10
    assert cost.round_trips <= 13
    assert cost.rows_read <= 40


def test_a_subscriber_costs_a_message_for_each_event_and_nothing_else(meter: Meter, world: World) -> None:
    plain, _ = meter.cost_of(meter.fire(_waiting(world)))
    first, second = _waiting(world), _waiting(world)
    subscribe(world, "https://hooks.example.com/")
    meter.cost_of(meter.fire(first))
    fired, messages = meter.cost_of(meter.fire(second))
    assert (fired.statements, fired.round_trips, fired.commits) == (
        plain.statements,
        plain.round_trips,
        plain.commits,
    )
    # The attempt's, the next step's, and that the step has fired.
    assert messages == 3


def test_the_flushes_that_are_counted_are_those_that_postgres_makes(sessions: sessionmaker[Session]) -> None:
    """A count that took all commits for flushed, or none, would be worth nothing."""

    def cost_of(work: Work) -> tuple[int, int]:
        with sessions() as session, counted(sessions.kw["bind"]) as cost:
            work(session)
            session.commit()
        return cost.commits, cost.flushes

    def read(session: Session) -> None:
        session.query(TimelineEntry).first()

    def write(session: Session) -> None:
        session.execute(_WRITE)

    def write_without_flush(session: Session) -> None:
        commit_without_flush(session)
        write(session)

    assert [cost_of(work) for work in (read, write, write_without_flush)] == [(0, 0), (1, 1), (1, 0)]
