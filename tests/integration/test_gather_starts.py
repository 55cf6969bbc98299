"""Alerts of concurrent requests start together, and none is refused or kept for another's sake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from alertops.errors import ConflictError, NotFoundError
from alertops.models import Execution, Team, TimelineEntry
from alertops.services.alerts import Alert, StartRequest
from alertops.services.dispatch import Dispatcher
from alertops.services.gather_starts import StartGatherer
from alertops.services.start_executions import Started
from tests.integration.world import Broker, Queue, World, node

Sessions = sessionmaker[Session]
HELD, HELD_TOO = "held", "held too"
KILL = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


class Requests:
    """Requests of a team that each raise one alert, in threads and sessions of their own."""

    def __init__(self, world: World, sessions: Sessions) -> None:
        self.broker = Broker()
        self.gatherer, self._dispatcher = StartGatherer(), Dispatcher(self.broker)
        self.team_id, self.flow = world.team.id, world.flow(node("a", 60))
        self.world, self._sessions = world, sessions
        self._pool = ThreadPoolExecutor(16)

    def start(self, session: Session, **about: Any) -> Started:
        about = {"flow_id": self.flow.id, "key": None, "actor_id": None, **about}
        alert = Alert("Disk is full", "critical", {}, about["key"])
        request = StartRequest(about["flow_id"], alert, actor_id=about["actor_id"])
        return self.gatherer.start(session, self._dispatcher, self.team_id, request)

    @contextmanager
    def leader_held(self) -> Iterator[Future[Started]]:
        """Somebody leads, and waits for somebody else's insert of the same key, which is then undone."""
        same = {"team_id": self.team_id, "flow_id": self.flow.id, "revision_number": 1}
        alert = {"status": "running", "summary": "-", "severity": "info", "details": {}}
        both = [{**same, **alert, "dedup_key": key, "anchor_at": func.now()} for key in (HELD, HELD_TOO)]

        def hold(holder: Session) -> Any:
            return holder.execute(insert(Execution).values(both))

        with Queue(self._sessions, hold) as queue:
            yield queue.submit(lambda session: self.start(session, key=HELD))

    def come(self, *abouts: dict[str, Any]) -> list[Future[Started]]:
        """Have these alerts raised while somebody leads; returns when all of them wait."""
        futures = [self._pool.submit(self._in_a_session, about) for about in abouts]
        until(lambda: len(self.gatherer._waiting[self.team_id]) == len(abouts))
        return futures

    def end_who_waits(self) -> bool:
        """Have the server end the connections that wait for a lock; whether there was one."""
        ended = self.world.session.execute(KILL).all()
        self.world.session.rollback()
        return bool(ended)

    def _in_a_session(self, about: dict[str, Any]) -> Started:
        with self._sessions() as session:
            return self.start(session, **about)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def requests(world: World, sessions: Sessions) -> Requests:
    return Requests(world, sessions)


def test_an_alert_that_comes_alone_waits_for_nobody(requests: Requests) -> None:
    started = [requests.start(requests.world.session) for _ in range(2)]
    assert [one.created for one in started] == [True, True]
    assert requests.broker.batches == [1, 1]
    assert requests.gatherer._waiting == {}


def test_alerts_that_come_meanwhile_are_one_batch_and_each_is_told_of_its_own(requests: Requests) -> None:
    actors = [uuid4() for _ in range(5)]
    with requests.leader_held() as leading:
        others = requests.come(*({"actor_id": id_, "key": str(id_)} for id_ in actors))
    assert leading.result().created
    for id_, one in zip(actors, others, strict=True):
        assert (one.result().created, one.result().execution.dedup_key) == (True, str(id_))
    query = select(Execution.dedup_key, TimelineEntry.actor_id).join(
        TimelineEntry, TimelineEntry.execution_id == Execution.id
    )
    told = dict(requests.world.session.execute(query).all())
    assert told == {HELD: None, **{str(id_): id_ for id_ in actors}}
    assert requests.broker.batches == [1, 5]
    assert requests.gatherer._waiting == {}


def test_alerts_with_one_key_that_come_meanwhile_open_one_execution(requests: Requests) -> None:
    with requests.leader_held():
        others = requests.come({"key": "k"}, {"key": "k"}, {"key": HELD})
    started = [other.result() for other in others]
    assert sorted(one.created for one in started) == [False, False, True]
    counts = requests.world.session.execute(select(Execution.dedup_key, Execution.alert_count))
    assert dict(counts.all()) == {HELD: 2, "k": 2}


@pytest.mark.parametrize("trouble", ["archived", "missing"])
def test_an_alert_that_cannot_start_refuses_no_other(requests: Requests, trouble: str) -> None:
    bad = requests.world.flow(node("a", 60))
    bad_id: UUID = bad.id if trouble == "archived" else uuid4()
    bad.archived_at = func.now()
    requests.world.session.commit()
    with requests.leader_held():
        refused, *others = requests.come({"flow_id": bad_id}, {}, {})
    assert isinstance(refused.exception(), ConflictError if trouble == "archived" else NotFoundError)
    assert [other.result().created for other in others] == [True, True]
    assert requests.world.session.scalar(select(func.count()).select_from(Execution)) == 3


def test_a_flow_of_another_team_is_not_found(requests: Requests) -> None:
    world, other = requests.world, Team(name="Other")
    world.session.add(other)
    world.session.flush()
    theirs = world.flow(node("a", 60))
    theirs.team_id = other.id
    world.session.commit()
    with pytest.raises(NotFoundError):
        requests.start(world.session, flow_id=theirs.id)
    assert world.session.scalar(select(func.count()).select_from(Execution)) == 0


def test_when_the_database_fails_a_leader_its_batch_is_told_and_the_next_goes_on(requests: Requests) -> None:
    with requests.leader_held() as leading:
        others = requests.come({}, {"key": HELD_TOO})
        assert requests.end_who_waits()
        assert isinstance(leading.exception(10), OperationalError)
        # One of the others leads now, and waits for the other key.
        until(requests.end_who_waits)
        assert [type(other.exception(10)) for other in others] == [OperationalError] * 2
    assert requests.start(requests.world.session, key=HELD).created
    assert requests.world.session.scalar(select(func.count()).select_from(Execution)) == 1


def test_no_team_waits_for_the_leader_of_another(requests: Requests) -> None:
    world, other = requests.world, Team(name="Other")
    world.session.add(other)
    world.session.flush()
    theirs = world.flow(node("a", 60))
    theirs.team_id = other.id
    world.session.commit()
    with requests.leader_held() as leading:
        request = StartRequest(theirs.id, Alert("Disk is full", "critical", {}))
        assert requests.gatherer.start(world.session, world.dispatcher, other.id, request).created
        assert not leading.done()
