"""Alerts of one group that come at once, in an order that is forced: one opens, the others join it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import pytest
from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.intake.grouping import key_of
from alertops.models import Execution, Flow
from alertops.services.lock import lock_execution
from alertops.services.operate import By
from alertops.services.resolve import resolve
from alertops.services.start_executions import Started
from alertops.services.storms import groupings
from alertops.services.storms.find_hosts import NAMESPACE, lock_name
from tests.integration.storming import Storm
from tests.integration.world import Broker, Queue, World

Sessions = sessionmaker[Session]
Starting = Callable[[Session], list[Started]]


@pytest.fixture
def storm(world: World, broker: Broker) -> Storm:
    storm = Storm(world)
    # This process knows the flow; what it opened is of another group, and out of the way.
    storm.one("elsewhere", "db9")
    world.session.execute(delete(Execution))
    world.session.commit()
    return storm


def starting(storm: Storm, key: str | None, host: str = "db1", severity: str = "error") -> Starting:
    alert = storm.alert(key, host, severity)
    return lambda session: storm.start(alert, session=session)


def opened(futures: list[Future[list[Started]]]) -> list[bool]:
    return [started.created for future in futures for started in future.result()]


def at_the_locks(storm: Storm, sessions: Sessions) -> Queue:
    """Whoever looks for hosts waits for these."""
    return lock_of(storm, sessions, key_of({"details.host": "db1"}))


def lock_of(storm: Storm, sessions: Sessions, part: str) -> Queue:
    name = lock_name(storm.flow_id, part)
    return Queue(sessions, lambda holder: holder.execute(select(func.pg_advisory_xact_lock(NAMESPACE, name))))


def test_of_ten_at_once_one_opens(storm: Storm, sessions: Sessions) -> None:
    with at_the_locks(storm, sessions) as queue:
        futures = [queue.submit(starting(storm, f"k{number}")) for number in range(10)]
    assert opened(futures).count(True) == 1
    (execution,) = storm.executions
    assert execution.alert_count == len(storm.listed(execution)) == 10


def test_of_ten_at_once_in_a_process_that_does_not_know_the_flow_one_opens(
    storm: Storm, sessions: Sessions
) -> None:
    """They have all inserted an execution of their own before any of them finds out."""
    groupings._known.learn(storm.flow_id, None)

    def hold(holder: Session) -> object:
        return holder.get_one(Flow, storm.flow_id, with_for_update=True)

    with Queue(sessions, hold) as queue:
        futures = [queue.submit(starting(storm, f"k{number}")) for number in range(10)]
    assert opened(futures).count(True) == 1
    (execution,) = storm.executions
    assert execution.alert_count == len(storm.listed(execution)) == 10


def test_the_same_alert_in_two_groups_at_once_is_one(storm: Storm, sessions: Sessions) -> None:
    """The key is locked beside the groups."""
    with lock_of(storm, sessions, "key disk") as queue:
        futures = [queue.submit(starting(storm, "disk", host)) for host in ("db1", "db2")]
    assert opened(futures) == [True, False]
    (execution,) = storm.executions
    assert execution.alert_count == 2


@pytest.mark.parametrize("first", ["resolve", "alert"])
def test_who_is_resolved_while_an_alert_comes_takes_it_in_or_another_opens(
    storm: Storm, sessions: Sessions, first: str
) -> None:
    host, owner_id, dispatcher = storm.one("disk").execution, storm.world.owner.id, storm.world.dispatcher
    host_id = host.id
    storm.world.session.rollback()

    def end(session: Session) -> object:
        return resolve(session, dispatcher, host_id, By(owner_id))

    with Queue(sessions, lambda holder: lock_execution(holder, host_id)) as queue:
        if first == "resolve":
            queue.submit(end)
            alert = queue.submit(starting(storm, "load"))
        else:
            alert = queue.submit(starting(storm, "load"))
            queue.submit(end)
    (started,) = alert.result()
    assert started.created == (first == "resolve")
    assert [execution.status for execution in storm.executions] == (
        ["resolved", "running"] if first == "resolve" else ["resolved"]
    )


def test_two_batches_of_the_same_groups_in_other_orders_do_not_wait_for_each_other_in_turn(
    storm: Storm, sessions: Sessions
) -> None:
    hosts = [f"db{number}" for number in range(20)]

    def batch(name: str, ordered: list[str]) -> Starting:
        alerts = [storm.alert(f"{name}-{host}", host) for host in ordered]
        return lambda session: storm.start(*alerts, session=session)

    with Queue(sessions, lambda holder: holder.get_one(Flow, storm.flow_id, with_for_update=True)) as queue:
        futures = [queue.submit(batch("a", hosts)), queue.submit(batch("b", hosts[::-1]))]
    assert opened(futures).count(True) == 20
    assert [execution.alert_count for execution in storm.executions] == [2] * 20
    assert storm.world.session.scalar(text("SELECT count(*) FROM grouped_alerts")) == 40
