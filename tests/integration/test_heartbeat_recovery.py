"""Wake-ups of heartbeats that were lost are sent again, as those of steps are; a ping hides no loss."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session, sessionmaker

from alertops.services.heartbeats.check_heartbeat import Found
from alertops.services.recover import Recovered
from tests.integration.heartbeating import EVERY, GRACE, Job, wake_ups
from tests.integration.recovering import NOTHING, Markers, Queues, runner
from tests.integration.world import Broker, World, refuse, take

Sessions = sessionmaker[Session]


@pytest.fixture
def job(world: World, broker: Broker, sessions: Sessions) -> Job:
    return Job(world, sessions)


def lose(job: Job, broker: Broker) -> None:
    broker.on_publish = refuse
    job.ping()
    broker.on_publish = take


def test_a_wake_up_that_was_never_published_is_repaired(
    world: World, job: Job, sessions: Sessions, broker: Broker, markers: Markers
) -> None:
    recover = runner(sessions, world, markers)
    recover()
    lose(job, broker)
    assert recover() == NOTHING
    job.pass_time(6)
    assert recover() == Recovered(never_dispatched=1)
    [(number, delay)] = wake_ups(broker.taken)
    assert (number, EVERY < delay < EVERY + GRACE) == (1, True)
    assert recover() == NOTHING


def test_a_wake_up_that_was_lost_is_repaired_and_one_that_has_come_is_not(
    world: World, job: Job, sessions: Sessions, broker: Broker, markers: Markers
) -> None:
    recover = runner(sessions, world, markers, Queues({"fire": 0, "send.email": 0, "send.letters": 0}))
    recover()
    job.ping()
    broker.taken.clear()
    job.pass_time(EVERY + GRACE + 4)
    assert recover() == NOTHING
    job.pass_time(2)
    assert recover() == Recovered(overdue=1)
    assert wake_ups(broker.taken) == [(1, 0.0)]
    assert job.wake() is Found.MISSING
    assert recover() == NOTHING


def test_a_ping_does_not_hide_that_the_wake_up_was_lost(
    world: World, job: Job, sessions: Sessions, broker: Broker, markers: Markers
) -> None:
    recover = runner(sessions, world, markers, Queues({"fire": 0, "send.email": 0, "send.letters": 0}))
    recover()
    job.ping()
    job.pass_time(EVERY)
    job.ping()
    job.pass_time(GRACE + 6)
    assert recover() == Recovered(overdue=1)
    assert job.wake() is Found.PINGED
    job.pass_time(EVERY)
    assert job.wake() is Found.MISSING


def test_a_broker_that_was_emptied_gets_what_waits_before_it_is_due(
    world: World, job: Job, sessions: Sessions, broker: Broker, markers: Markers
) -> None:
    recover = runner(sessions, world, markers)
    recover()
    job.ping()
    broker.taken.clear()
    markers.wipe()
    assert recover() == Recovered(broker_emptied=1)
    [(number, delay)] = wake_ups(broker.taken)
    assert (number, delay > EVERY) == (1, True)
    assert recover() == NOTHING


def test_who_is_new_paused_or_missing_waits_for_nothing(
    world: World, job: Job, sessions: Sessions, broker: Broker, markers: Markers
) -> None:
    recover = runner(sessions, world, markers)
    paused, missing = (Job(world, sessions) for _ in range(2))
    paused.ping()
    paused.change(paused=True)
    execution = missing.miss()
    world.fire(execution, 1)
    world.send(execution, 1)
    broker.taken.clear()
    recover()
    assert wake_ups(broker.taken) == []
