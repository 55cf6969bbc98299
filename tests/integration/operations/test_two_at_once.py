"""Two who do something at once: one of them is first, and the other finds it done."""

from __future__ import annotations

from alertops.escalation.decision import Reason
from alertops.escalation.states import ExecutionStatus
from alertops.models import Execution
from alertops.services.acknowledge import acknowledge
from alertops.services.escalate import escalate
from alertops.services.fire_timer import fire_timer
from alertops.services.keys import TimerKey
from alertops.services.lock import lock_execution
from alertops.services.operate import By
from alertops.services.resolve import resolve
from tests.integration.operations.operating import (
    Sessions,
    do,
    shape,
)
from tests.integration.world import Queue, World, node


def queue_for(world: World, sessions: Sessions, execution: Execution) -> Queue:
    id_ = execution.id
    return Queue(sessions, lambda holder: lock_execution(holder, id_))


def test_two_who_escalate_at_once_skip_nobody(world: World, sessions: Sessions, running: Execution) -> None:
    id_, by = running.id, By(world.owner.id)
    with queue_for(world, sessions, running) as queue:
        answers = [
            queue.submit(lambda session: escalate(session, world.dispatcher, id_, 2, by)) for _ in range(2)
        ]
    assert [answer.result().changed for answer in answers] == [True, False]
    assert shape(world, running) == [("a", "fired"), ("b", "waiting")]


def test_a_timer_that_waited_for_a_resolve_does_nothing(world: World, sessions: Sessions) -> None:
    execution = world.start(world.flow(node("a", 0), ack_timeout_seconds=60))
    do(world, acknowledge, execution)
    world.pass_time(execution, 61)
    id_, by = execution.id, By(world.owner.id)
    with queue_for(world, sessions, execution) as queue:
        queue.submit(lambda session: resolve(session, world.dispatcher, id_, by))
        timer = queue.submit(lambda session: fire_timer(session, world.dispatcher, TimerKey(id_, 1)))
    assert timer.result() is Reason.STALE
    assert world.status(execution) == ExecutionStatus.RESOLVED


def test_a_resolve_that_waited_for_a_timer_ends_what_came_back(world: World, sessions: Sessions) -> None:
    execution = world.start(world.flow(node("a", 0), ack_timeout_seconds=60))
    do(world, acknowledge, execution)
    world.pass_time(execution, 61)
    id_, by = execution.id, By(world.owner.id)
    with queue_for(world, sessions, execution) as queue:
        timer = queue.submit(lambda session: fire_timer(session, world.dispatcher, TimerKey(id_, 1)))
        queue.submit(lambda session: resolve(session, world.dispatcher, id_, by))
    assert timer.result() is Reason.ACK_TIMED_OUT
    assert world.status(execution) == "resolved"
    assert "waiting" not in [step.status for step in world.steps(execution)]
