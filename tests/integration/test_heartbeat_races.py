"""A ping and a wake-up at the same moment: one is first at the row's lock, and the other sees what it did."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from alertops.errors import AuthenticationError
from alertops.models import Execution, Heartbeat
from alertops.services.heartbeats.change_heartbeat import delete_heartbeat
from alertops.services.heartbeats.check_heartbeat import Found, check_heartbeat
from alertops.services.heartbeats.ping_heartbeat import ping_heartbeat
from alertops.services.keys import HeartbeatKey
from alertops.services.teams.delete_team import delete_team
from tests.integration.heartbeating import EVERY, GRACE, Job, wake_ups
from tests.integration.world import Broker, Queue, World

Sessions = sessionmaker[Session]


class Race:
    """A job that is about to be called silent, and the verbs that race for its row."""

    def __init__(self, job: Job, sessions: Sessions) -> None:
        self.job, self.sessions, self.dispatcher = job, sessions, job.world.dispatcher
        job.ping()
        job.pass_time(EVERY + GRACE)

    def queue(self) -> Queue:
        return Queue(self.sessions, lambda holder: holder.get(Heartbeat, self.job.id, with_for_update=True))

    def ping(self, session: Session) -> str:
        return ping_heartbeat(session, self.dispatcher, self.job.key)

    def wake(self, session: Session) -> Found:
        return check_heartbeat(session, self.dispatcher, HeartbeatKey(self.job.id, 1))


@pytest.fixture
def job(world: World, broker: Broker, sessions: Sessions) -> Job:
    return Job(world, sessions)


@pytest.fixture
def race(job: Job, sessions: Sessions) -> Race:
    return Race(job, sessions)


def executions(job: Job) -> list[str]:
    job.world.session.rollback()
    return list(job.world.session.scalars(select(Execution.status)))


def test_a_ping_before_the_wake_up_is_in_time(race: Race) -> None:
    with race.queue() as queue:
        ping, wake = queue.submit(race.ping), queue.submit(race.wake)
    assert (ping.result(), wake.result()) == ("up", Found.PINGED)
    assert (race.job.row.status, executions(race.job)) == ("up", [])


def test_a_ping_after_the_wake_up_ends_what_that_has_begun(race: Race, broker: Broker) -> None:
    with race.queue() as queue:
        wake, ping = queue.submit(race.wake), queue.submit(race.ping)
    assert (wake.result(), ping.result()) == (Found.MISSING, "up")
    assert (race.job.row.status, executions(race.job)) == ("up", ["resolved"])
    assert [number for number, _ in wake_ups(broker.taken)] == [1, 2]


def test_ten_wake_ups_at_once_start_a_flow_once(race: Race) -> None:
    with race.queue() as queue:
        waking = [queue.submit(race.wake) for _ in range(10)]
    found = [future.result() for future in waking]
    assert sorted(found) == sorted([Found.MISSING] + [Found.STALE] * 9)
    assert executions(race.job) == ["running"]


def test_ten_first_pings_at_once_set_one_wake_up(job: Job, sessions: Sessions, broker: Broker) -> None:
    def ping(session: Session) -> Any:
        return ping_heartbeat(session, job.world.dispatcher, job.key)

    with Queue(sessions, lambda holder: holder.get(Heartbeat, job.id, with_for_update=True)) as queue:
        pings = [queue.submit(ping) for _ in range(10)]
    assert {future.result() for future in pings} == {"up"}
    assert [number for number, _ in wake_ups(broker.taken)] == [1]


def test_who_is_deleted_meanwhile_is_neither_pinged_nor_missed(race: Race) -> None:
    asking = race.job.asking
    with race.queue() as queue:
        queue.submit(lambda session: delete_heartbeat(session, asking, race.job.id))
        ping, wake = queue.submit(race.ping), queue.submit(race.wake)
    assert isinstance(ping.exception(), AuthenticationError)
    assert (wake.result(), executions(race.job)) == (Found.STALE, [])


@pytest.mark.parametrize("first", ["wake-up", "deletion"])
def test_a_team_is_deleted_while_its_job_falls_silent(race: Race, first: str) -> None:
    asking, team_id = race.job.asking, race.job.world.team.id
    race.job.world.session.rollback()
    delete = partial(delete_team, asking=asking, team_id=team_id)
    with race.queue() as queue:
        if first == "wake-up":
            wake, gone = queue.submit(race.wake), queue.submit(delete)
        else:
            gone, wake = queue.submit(delete), queue.submit(race.wake)
    assert wake.result() is (Found.MISSING if first == "wake-up" else Found.STALE)
    assert gone.result().executions == (first == "wake-up")
    assert executions(race.job) == (["cancelled"] if first == "wake-up" else [])
    with race.sessions() as session:
        assert session.get(Heartbeat, race.job.id) is None
