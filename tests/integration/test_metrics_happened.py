"""/metrics tells what has happened since the first day: how late it was, how it ended, what was not taken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from alertops.models import DispatchFailure
from alertops.services.access.actor import Person
from alertops.services.access.wall import raise_the_wall
from alertops.services.acknowledge import acknowledge
from alertops.services.add_up_figures import add_up_figures
from alertops.services.dispatch import StepWakeUp
from alertops.services.dispatch_failures import FEW
from alertops.services.happened import CHANNELS
from alertops.services.keys import StepKey
from alertops.services.operate import By
from tasks import queues
from tests.figures import read_figures
from tests.integration.recovering import Markers, Recover, runner
from tests.integration.world import Broker, World, down, node, refuse

Sessions = sessionmaker[Session]
Figures = Callable[[], dict[str, float]]

FAILURES = 'alertops_dispatch_failures_total{reason="%s"}'


@pytest.fixture
def figures(client: FlaskClient) -> Figures:
    return lambda: read_figures(client.get("/metrics").text)


@pytest.fixture
def run(world: World, sessions: Sessions, broker: Broker, markers: Markers) -> Recover:
    return runner(sessions, world, markers)


def test_the_channels_are_those_that_have_queues() -> None:
    assert queues.CHANNELS == CHANNELS


def test_what_has_never_happened_is_told_as_nought(run: Recover, figures: Figures) -> None:
    """A counter that appears with its first event hides that event from whoever asks for the increase."""
    run()
    found = figures()
    for name in (
        'alertops_step_lateness_seconds_bucket{le="1.0"}',
        'alertops_delivery_lateness_seconds_bucket{channel="webhook",le="+Inf"}',
        'alertops_attempts_ended_total{channel="email",outcome="unknown"}',
        "alertops_attempts_repeated_total",
        'alertops_execution_changes_total{event="exhausted"}',
        FAILURES % "unavailable",
        FAILURES % "unconfirmed",
    ):
        assert found[name] == 0


def test_steps_that_fired_are_in_every_bucket_that_is_not_below_their_lateness(
    world: World, run: Recover, figures: Figures
) -> None:
    flow = world.flow(node("a", 60), node("b", 6000))
    for late in (0, 3, 3, 100):
        execution = world.start(flow)
        world.pass_time(execution, 60 + late)
        world.fire(execution, 1)
    run()
    found = figures()
    bucket = 'alertops_step_lateness_seconds_bucket{le="%s"}'
    assert {le: found[bucket % le] for le in ("1.0", "2.5", "5.0", "60.0", "300.0", "+Inf")} == {
        "1.0": 1,
        "2.5": 1,
        "5.0": 3,
        "60.0": 3,
        "300.0": 4,
        "+Inf": 4,
    }
    assert found["alertops_step_lateness_seconds_count"] == 4
    assert 106 <= found["alertops_step_lateness_seconds_sum"] < 120


def test_what_became_of_attempts_and_executions_is_counted(
    world: World, run: Recover, figures: Figures
) -> None:
    flow = world.flow(node("a", 0), node("b", 600))
    execution, _ = world.start(flow), world.start(flow)
    world.fire(execution, 1)
    world.send(execution, 1)
    acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    run()
    found = figures()
    assert found['alertops_attempts_ended_total{channel="email",outcome="delivered"}'] == 1
    assert found['alertops_delivery_lateness_seconds_count{channel="email"}'] == 1
    assert found['alertops_execution_changes_total{event="started"}'] == 2
    assert found['alertops_execution_changes_total{event="acknowledged"}'] == 1
    assert found["alertops_counted_until_timestamp_seconds"] > 0


def test_wake_ups_that_the_broker_did_not_take_are_counted_by_the_reason(
    world: World, broker: Broker, run: Recover, figures: Figures
) -> None:
    flow = world.flow(node("a", 0))
    broker.on_publish = down
    world.start(flow)
    broker.on_publish = refuse
    world.start(flow)
    world.start(flow)
    found = figures()
    assert (found[FAILURES % "unavailable"], found[FAILURES % "unconfirmed"]) == (1, 2)


def test_they_are_counted_behind_the_wall_too(
    world: World, broker: Broker, sessions: Sessions, figures: Figures
) -> None:
    broker.on_publish = down
    execution = world.start(world.flow(node("a", 0)))
    wake_up = StepWakeUp(StepKey(execution.id, 1), execution.anchor_at)
    with sessions() as walled:
        raise_the_wall(walled, Person(world.owner.id))
        world.dispatcher.dispatch(walled, [wake_up])
    assert figures()[FAILURES % "unavailable"] == 2


def test_recovery_makes_one_row_of_many_failures_and_the_sum_is_the_same(
    world: World, broker: Broker, sessions: Sessions, run: Recover, figures: Figures
) -> None:
    flow = world.flow(node("a", 3600))
    broker.on_publish = down
    for _ in range(FEW + 10):
        world.start(flow)
    with sessions() as session:
        add_up_figures(session)
        assert session.scalar(select(func.count()).select_from(DispatchFailure)) == 1
    assert figures()[FAILURES % "unavailable"] == FEW + 10
