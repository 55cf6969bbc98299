"""Many alerts in one transaction: all or none, in order, one execution for each key, whatever races."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session, sessionmaker

from alertops.errors import ConflictError, NotFoundError
from alertops.models import Execution, Flow, Step, TimelineEntry, Timer
from alertops.services.acknowledge import acknowledge
from alertops.services.alerts import Alert, StartRequest
from alertops.services.dispatch import FIRE_STEP, FIRE_TIMER, Dispatcher
from alertops.services.lock import lock_execution
from alertops.services.operate import By
from alertops.services.resolve import resolve
from alertops.services.start_executions import Started, start_executions
from tests.integration.api_client import row_counts
from tests.integration.world import Broker, Queue, World, down, node

Sessions = sessionmaker[Session]


def alert(key: str | None = None, summary: str = "Disk is full") -> Alert:
    return Alert(summary, "critical", {"host": "db1"}, key)


def requests(flow: Flow, *keys: str | None) -> list[StartRequest]:
    return [StartRequest(flow.id, alert(key, f"alert {n}")) for n, key in enumerate(keys)]


def start(world: World, wanted: list[StartRequest]) -> list[Started]:
    return start_executions(world.session, world.dispatcher, wanted, world.owner.id)


def opened(started: list[Started]) -> list[bool]:
    return [one.created for one in started]


def test_each_alert_opens_an_execution_of_its_flow_and_is_answered_in_its_place(
    world: World, broker: Broker
) -> None:
    flows = [world.flow(node("a", 60)), world.flow(node("b", 5), resolve_after_seconds=600)]
    wanted = [StartRequest(flows[n % 2].id, alert(summary=f"alert {n}")) for n in range(10)]
    started = start(world, wanted)
    assert all(opened(started))
    assert [one.execution.summary for one in started] == [request.alert.summary for request in wanted]
    assert [one.execution.flow_id for one in started] == [request.flow_id for request in wanted]
    for one in started:
        (step,) = world.steps(one.execution)
        assert (step.status, step.number) == ("waiting", 1)
        assert step.dispatched_at is not None
        assert world.events(one.execution) == ["started"]
    timers = list(world.session.scalars(select(Timer)))
    assert {timer.execution_id for timer in timers} == {one.execution.id for one in started[1::2]}
    assert broker.batches == [15]
    assert Counter(message.task for message in broker.taken) == {FIRE_STEP: 10, FIRE_TIMER: 5}


def test_alerts_of_one_batch_with_the_same_key_open_one_execution_and_are_all_counted(world: World) -> None:
    flow, other = world.flow(node("a", 60)), world.flow(node("a", 60))
    wanted = requests(flow, "b", "a", None, "b", "b") + requests(other, "b")
    started = start(world, wanted)
    assert opened(started) == [True, True, True, False, False, True]
    first = started[0].execution
    assert [one.execution is first for one in started] == [True, False, False, True, True, False]
    assert (first.summary, first.alert_count) == ("alert 0", 3)
    assert world.events(first) == ["started", "alert_repeated", "alert_repeated"]
    told = select(TimelineEntry.detail).where(TimelineEntry.event == "alert_repeated")
    assert [detail["summary"] for detail in world.session.scalars(told)] == ["alert 3", "alert 4"]


def test_a_batch_joins_what_is_open_and_opens_the_rest(world: World) -> None:
    flow = world.flow(node("a", 60))
    running, taken, over = (world.start(flow, key) for key in ("running", "taken", "over"))
    acknowledge(world.session, world.dispatcher, taken.id, By(world.owner.id))
    resolve(world.session, world.dispatcher, over.id, By(world.owner.id))
    started = start(world, requests(flow, "over", "taken", "new", "running", "taken"))
    assert opened(started) == [True, False, True, False, False]
    assert [one.execution.alert_count for one in started] == [1, 3, 1, 2, 3]
    assert [one.execution.id for one in started[1::2]] == [taken.id, running.id]
    world.session.expire_all()
    assert [one.execution.alert_count for one in started] == [1, 3, 1, 2, 3]


def test_what_a_request_says_beside_its_alert_is_told(world: World) -> None:
    flow = world.flow(node("a", 60))
    wanted = [StartRequest(flow.id, alert("k"), {"by_way_of": name}) for name in ("one", "two")]
    start(world, wanted)
    entries = list(world.session.scalars(select(TimelineEntry).order_by(TimelineEntry.id)))
    assert [(e.event, e.detail["by_way_of"], e.actor_id) for e in entries] == [
        ("started", "one", world.owner.id),
        ("alert_repeated", "two", world.owner.id),
    ]


@pytest.mark.parametrize("trouble", ["archived", "missing"])
def test_one_flow_that_starts_nothing_refuses_the_whole_batch(world: World, trouble: str) -> None:
    good, bad = world.flow(node("a", 60)), world.flow(node("a", 60))
    world.start(good, "open")
    bad_id = bad.id
    if trouble == "archived":
        bad.archived_at = func.now()
        world.session.commit()
    else:
        bad_id = uuid4()
    before = row_counts(world.session)
    wanted = [*requests(good, "open", "new"), StartRequest(bad_id, alert())]
    with pytest.raises(ConflictError if trouble == "archived" else NotFoundError):
        start(world, wanted)
    assert row_counts(world.session) == before
    assert world.session.scalars(select(Execution.alert_count)).all() == [1]


def test_an_archived_flow_still_takes_in_repeats_of_what_runs(world: World) -> None:
    flow = world.flow(node("a", 60))
    world.start(flow, "open")
    flow.archived_at = func.now()
    world.session.commit()
    assert opened(start(world, requests(flow, "open", "open"))) == [False, False]


def test_a_broker_that_is_down_fails_no_batch(world: World) -> None:
    flow = world.flow(node("a", 60))
    world.dispatcher = Dispatcher(Broker(down))
    start(world, requests(flow, None, None))
    assert list(world.session.scalars(select(Step.dispatched_at))) == [None, None]


def test_batches_at_once_with_the_same_keys_open_each_once_and_count_all(
    world: World, sessions: Sessions
) -> None:
    flow_id, owner_id, keys = world.flow(node("a", 60)).id, world.owner.id, [f"k{n:02}" for n in range(20)]
    for key in keys[::3]:
        world.start(world.session.get_one(Flow, flow_id), key)
    line = Barrier(6)

    def run(number: int) -> list[Started]:
        mixed = keys[number:] + keys[:number]
        wanted = [StartRequest(flow_id, alert(key)) for key in (mixed if number % 2 else mixed[::-1])]
        line.wait()
        with sessions() as session:
            return start_executions(session, Dispatcher(Broker()), wanted, owner_id)

    with ThreadPoolExecutor(6) as pool:
        all_started = [one for started in pool.map(run, range(6)) for one in started]
    assert sum(opened(all_started)) == 20 - len(keys[::3])
    found = world.session.execute(select(Execution.dedup_key, Execution.alert_count)).all()
    assert sorted(found) == [(key, 7 if key in keys[::3] else 6) for key in keys]


def test_batches_that_name_the_same_keys_in_opposite_order_do_not_deadlock(
    world: World, sessions: Sessions
) -> None:
    flow, owner_id = world.flow(node("a", 60)), world.owner.id
    middle = {"team_id": flow.team_id, "flow_id": flow.id, "revision_number": 1, "dedup_key": "m"}
    about = {"status": "running", "summary": "-", "severity": "info", "details": {}}

    def open_the_middle_one(holder: Session) -> Any:
        return holder.execute(insert(Execution).values(**middle, **about, anchor_at=func.now()))

    # Each would have its first key, wait for the one in the middle, and then want the other's first one.
    forwards, backwards = requests(flow, "a", "m", "z"), requests(flow, "z", "m", "a")
    with Queue(sessions, open_the_middle_one) as queue:
        both = [
            queue.submit(
                lambda session, wanted=wanted: start_executions(
                    session, Dispatcher(Broker()), wanted, owner_id
                )
            )
            for wanted in (forwards, backwards)
        ]
    assert sorted(one.created for starting in both for one in starting.result()) == [False] * 3 + [True] * 3


def test_a_batch_that_waited_for_a_resolve_opens_that_one_anew_and_joins_the_other(
    world: World, sessions: Sessions
) -> None:
    flow = world.flow(node("a", 60))
    first, second = world.start(flow, "a"), world.start(flow, "b")
    wanted, owner_id, first_id = requests(flow, "a", "b", "c"), world.owner.id, first.id

    def hold(session: Session) -> Any:
        return lock_execution(session, first_id)

    with Queue(sessions, hold) as queue:
        queue.submit(lambda session: resolve(session, world.dispatcher, first_id, By(owner_id)))
        starting = queue.submit(
            lambda session: start_executions(session, Dispatcher(Broker()), wanted, owner_id)
        )
    started = starting.result()
    assert opened(started) == [True, False, True]
    assert started[1].execution.id == second.id
    counts: dict[UUID, int] = dict(world.session.execute(select(Execution.id, Execution.alert_count)).all())  # type: ignore[arg-type]  # rows of two
    assert counts[first_id] == 1
    assert counts[second.id] == 2
