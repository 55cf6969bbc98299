"""An alert opens one execution, whatever races; and the database refuses what no code may write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from alertops.errors import ConflictError
from alertops.models import Attempt, Execution, Flow, Step
from alertops.services.acknowledge import acknowledge
from alertops.services.dispatch import Dispatcher
from alertops.services.lock import lock_execution
from alertops.services.operate import By
from alertops.services.resolve import resolve
from alertops.services.start_execution import Alert, Started, start_execution
from tests.integration.world import Broker, Publishing, Queue, World, down, node, refuse

Sessions = sessionmaker[Session]
KEY = "disk-db1"


def starter(world: World, flow: Flow) -> Any:
    """Start with the key, in a session that is handed over."""
    flow_id, owner_id = flow.id, world.owner.id

    def start(session: Session) -> Started:
        alert = Alert("Disk is full", "critical", {}, KEY)
        return start_execution(session, world.dispatcher, session.get_one(Flow, flow_id), alert, owner_id)

    return start


def of_key(world: World) -> list[tuple[str, int]]:
    """Status and alert count of each execution with the key, oldest first."""
    query = select(Execution.status, Execution.alert_count).where(Execution.dedup_key == KEY)
    return [(status, count) for status, count in world.session.execute(query.order_by(Execution.created_at))]


@pytest.mark.parametrize("failure", [down, refuse])
def test_a_broker_that_is_down_fails_no_alert_and_leaves_the_step_to_recovery(
    world: World, failure: Publishing
) -> None:
    flow = world.flow(node("a", 60))
    world.dispatcher = Dispatcher(Broker(failure))
    execution = world.start(flow)
    (step,) = world.steps(execution)
    assert (step.status, step.dispatched_at) == ("waiting", None)
    assert world.status(execution) == "running"


def test_twenty_alerts_at_once_with_the_same_key_open_one_execution_and_all_are_counted(
    world: World, sessions: Sessions
) -> None:
    flow = world.flow(node("a", 60))
    start = starter(world, flow)

    def open_one(holder: Session) -> None:
        same = {"team_id": flow.team_id, "flow_id": flow.id, "revision_number": 1, "dedup_key": KEY}
        alert = {"status": "running", "summary": "-", "severity": "info", "details": {}}
        holder.execute(insert(Execution).values(**same, **alert, anchor_at=func.now()))

    # All wait for an insert that is then undone: each could have been the first.
    with Queue(sessions, open_one) as queue:
        starting = [queue.submit(start) for _ in range(20)]
    started = [future.result() for future in starting]
    assert sum(one.created for one in started) == 1
    assert len({one.execution.id for one in started}) == 1
    assert of_key(world) == [("running", 20)]
    assert len(world.publisher.messages) == 1


def queue_for(world: World, sessions: Sessions, execution: Execution) -> Queue:
    id_: UUID = execution.id
    return Queue(sessions, lambda holder: lock_execution(holder, id_))


def test_an_alert_that_waited_for_a_resolve_opens_anew_and_is_not_lost(
    world: World, sessions: Sessions
) -> None:
    flow = world.flow(node("a", 60))
    execution, owner_id, start = world.start(flow, KEY), world.owner.id, starter(world, flow)
    with queue_for(world, sessions, execution) as queue:
        queue.submit(lambda session: resolve(session, world.dispatcher, execution.id, By(owner_id)))
        starting = queue.submit(start)
    assert starting.result().created
    assert of_key(world) == [("resolved", 1), ("running", 1)]
    assert [step.status for step in world.steps(starting.result().execution)] == ["waiting"]


def test_an_alert_that_came_before_a_resolve_joins_what_is_then_resolved(
    world: World, sessions: Sessions
) -> None:
    flow = world.flow(node("a", 60))
    execution, owner_id, start = world.start(flow, KEY), world.owner.id, starter(world, flow)
    with queue_for(world, sessions, execution) as queue:
        starting = queue.submit(start)
        queue.submit(lambda session: resolve(session, world.dispatcher, execution.id, By(owner_id)))
    assert not starting.result().created
    assert of_key(world) == [("resolved", 2)]


@pytest.mark.parametrize(
    ("committed", "expected"),
    [(True, [("resolved", 1), ("running", 1)]), (False, [("running", 2)])],
)
def test_an_alert_waits_for_a_resolve_that_is_not_committed_yet(
    world: World, sessions: Sessions, committed: bool, expected: list[tuple[str, int]]
) -> None:
    flow = world.flow(node("a", 60))
    execution, start = world.start(flow, KEY), starter(world, flow)
    resolved = update(Execution).where(Execution.id == execution.id).values(status="resolved")
    with Queue(sessions, lambda holder: holder.execute(resolved)) as queue:
        starting = queue.submit(start)
        if committed:
            queue.holder.commit()
    assert starting.result().created is committed
    assert of_key(world) == expected


def test_alerts_without_a_key_or_with_the_key_of_another_flow_open_their_own(world: World) -> None:
    flow, other = world.flow(node("a", 60)), world.flow(node("a", 60))
    ids = {world.start(flow).id, world.start(flow).id, world.start(flow, KEY).id, world.start(other, KEY).id}
    assert len(ids) == 4


def exhaust(world: World, flow: Flow) -> Execution:
    execution = world.start(flow, KEY)
    world.fire(execution, 1)
    world.send(execution, 1)
    assert world.status(execution) == "exhausted"
    return execution


def test_an_alert_with_the_key_of_an_exhausted_execution_opens_anew(world: World) -> None:
    flow = world.flow(node("a", 0))
    old = exhaust(world, flow)
    new = world.start(flow, KEY)
    assert new.id != old.id
    assert [step.status for step in world.steps(new)] == ["waiting"]


def test_an_acknowledged_execution_still_takes_in_alerts_with_its_key(world: World) -> None:
    flow = world.flow(node("a", 60))
    execution = world.start(flow, KEY)
    acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    assert world.start(flow, KEY).id == execution.id
    assert of_key(world) == [("acknowledged", 2)]


def test_an_exhausted_execution_beside_a_newer_open_one_is_not_acknowledged_but_can_be_resolved(
    world: World,
) -> None:
    flow = world.flow(node("a", 0))
    old = exhaust(world, flow)
    new = world.start(flow, KEY)
    with pytest.raises(ConflictError, match="same dedup_key"):
        acknowledge(world.session, world.dispatcher, old.id, By(world.owner.id))
    assert (world.status(old), world.status(new)) == ("exhausted", "running")
    assert resolve(world.session, world.dispatcher, old.id, By(world.owner.id)).changed
    assert acknowledge(world.session, world.dispatcher, new.id, By(world.owner.id)).changed


def test_an_answer_that_another_constraint_refuses_is_not_blamed_on_a_newer_execution(world: World) -> None:
    execution = world.start(world.flow(node("a", 60)))
    world.session.execute(text("ALTER TABLE executions ADD CONSTRAINT odd CHECK (acknowledged_by IS NULL)"))
    world.session.commit()
    try:
        with pytest.raises(IntegrityError, match="odd"):
            acknowledge(world.session, world.dispatcher, execution.id, By(UUID(int=0)))
    finally:
        world.session.execute(text("ALTER TABLE executions DROP CONSTRAINT odd"))
        world.session.commit()
    assert world.status(execution) == "running"


def refused_by(world: World, constraint: str, statement: Any) -> None:
    with pytest.raises(IntegrityError) as caught:
        world.session.execute(statement)
    world.session.rollback()
    assert f'"{constraint}"' in str(caught.value.orig)


def test_the_database_refuses_to_record_that_a_step_fired_before_it_was_due(world: World) -> None:
    world.start(world.flow(node("a", 60)))
    early = {"status": "fired", "fired_at": Step.due_at - timedelta(microseconds=1)}
    refused_by(world, "ck_steps_never_early", update(Step).values(early))
    refused_by(world, "ck_steps_fired_at", update(Step).values(status="fired"))


def test_the_database_refuses_a_second_waiting_step(world: World) -> None:
    execution = world.start(world.flow(node("a", 60)))
    second = insert(Step).values(
        execution_id=execution.id,
        number=2,
        round=0,
        node_index=0,
        node_id="n",
        node_name="n",
        status="waiting",
        planned_at=func.now(),
        due_at=func.now(),
    )
    refused_by(world, "uq_steps_one_waiting", second)


@pytest.mark.parametrize("status", ["scheduled", "sending"])
def test_the_database_refuses_a_second_unfinished_attempt_at_a_target(world: World, status: str) -> None:
    execution = world.start(world.flow(node("a", 0)))
    world.fire(execution, 1)
    second = insert(Attempt).values(
        execution_id=execution.id,
        step_number=1,
        target_number=1,
        number=2,
        channel="email",
        address="a@example.com",
        status=status,
        due_at=func.now(),
        lease_until=func.now(),
    )
    refused_by(world, "uq_attempts_one_unfinished", second)


@pytest.mark.parametrize("table", [Execution, Step, Attempt])
def test_the_database_refuses_a_status_that_is_not_a_word_of_ours(
    world: World, table: type[Execution | Step | Attempt]
) -> None:
    execution = world.start(world.flow(node("a", 0)))
    world.fire(execution, 1)
    values: dict[str, Any] = {"status": "lost"}
    if table is Attempt:
        values["finished_at"] = func.now()
    if table is Step:
        values["fired_at"] = None
    refused_by(world, f"ck_{table.__tablename__}_status", update(table).values(values))
