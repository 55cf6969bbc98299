"""Acknowledge, resolve, snooze and timers, notes and replays: told with who and why, safe to repeat."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from alertops.db import database_now
from alertops.errors import ConflictError, InvalidInputError
from alertops.escalation.decision import Reason
from alertops.models import Execution, Timer
from alertops.services.acknowledge import acknowledge
from alertops.services.add_note import add_note
from alertops.services.cancel import cancel
from alertops.services.escalate import escalate
from alertops.services.flows.edit_flow import add_node
from alertops.services.recover import Recovered, recover
from alertops.services.replay import replay
from alertops.services.resolve import resolve
from alertops.services.snooze import snooze
from alertops.services.unsnooze import unsnooze
from tests.integration.operations.operating import (
    HOUR,
    EmptyQueues,
    Sessions,
    added,
    do,
    editor,
    fire_timers,
    flow_of,
    shape,
    timers,
    told,
)
from tests.integration.recovering import Markers
from tests.integration.world import Broker, World, node


def test_who_acknowledges_and_why_is_told(world: World, running: Execution) -> None:
    assert do(world, acknowledge, running, note="looking").changed
    entry = told(world, running, "acknowledged")
    assert (entry.actor_id, entry.detail) == (world.owner.id, {"came_from": "running", "note": "looking"})
    assert not do(world, acknowledge, running, note="again").changed


def test_what_nobody_resolves_in_time_comes_back_to_the_node_where_it_was_acknowledged(world: World) -> None:
    flow = world.flow(node("a", 0), node("b", 600), node("c", 60), ack_timeout_seconds=300)
    execution = world.start(flow)
    for step, delay in ((1, 600), (2, 0)):
        world.fire(execution, step)
        world.send(execution, step)
        world.pass_time(execution, delay)
    do(world, acknowledge, execution)
    assert timers(world, execution) == [("ack_timeout", "waiting")]
    world.pass_time(execution, 299)
    assert fire_timers(world, execution) == [Reason.EARLY]
    world.pass_time(execution, 31)
    assert fire_timers(world, execution) == [Reason.ACK_TIMED_OUT]
    assert fire_timers(world, execution) == [Reason.STALE]
    assert world.status(execution) == "running"
    assert shape(world, execution)[-1] == ("b", "waiting")
    back = world.steps(execution)[-1]
    # Anchored: due when the time was over, not when somebody noticed.
    timer = world.session.scalars(select(Timer).where(Timer.execution_id == execution.id)).one()
    assert back.due_at == timer.due_at
    world.fire(execution, back.number)
    assert shape(world, execution)[-1] == ("c", "waiting")
    assert world.steps(execution)[-1].due_at == back.due_at + timedelta(seconds=60)


def test_what_was_resolved_in_time_does_not_come_back(world: World) -> None:
    execution = world.start(world.flow(node("a", 0), ack_timeout_seconds=300))
    do(world, acknowledge, execution)
    do(world, resolve, execution)
    world.pass_time(execution, 301)
    assert fire_timers(world, execution) == [Reason.STALE]
    assert world.status(execution) == "resolved"


def test_what_nobody_ends_is_resolved_by_time(world: World) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 6000), resolve_after_seconds=3600))
    world.fire(execution, 1)
    world.send(execution, 1)
    world.pass_time(execution, 3600)
    assert fire_timers(world, execution) == [Reason.RESOLVED_BY_TIME]
    assert world.status(execution) == "resolved"
    assert told(world, execution, "resolved").detail["reason"] == "resolved_by_time"
    assert shape(world, execution) == [("a", "fired"), ("b", "cancelled")]


def test_a_timer_whose_wake_up_was_lost_is_found_by_recovery(
    world: World, broker: Broker, sessions: Sessions, markers: Markers
) -> None:
    execution = world.start(world.flow(node("a", 60), node("b", 6000), ack_timeout_seconds=60))
    do(world, acknowledge, execution)
    world.pass_time(execution, 70)
    broker.taken = []
    found = recover(sessions, world.dispatcher, markers, EmptyQueues(), world.timing)
    assert found is not None
    assert found != Recovered()
    assert [message.task for message in broker.taken] == ["alertops.fire_timer"]
    assert fire_timers(world, execution) == [Reason.ACK_TIMED_OUT]


def test_a_snooze_silences_until_then_and_begins_again_where_it_was(world: World, running: Execution) -> None:
    world.pass_time(running, 60)
    until = database_now(world.session) + HOUR
    answered = do(world, snooze, running, until, note="maintenance")
    assert answered.changed
    assert (world.status(running), answered.execution.snoozed_until) == ("snoozed", until)
    assert shape(world, running) == [("a", "fired"), ("b", "cancelled")]
    assert not do(world, snooze, running, until).changed
    world.pass_time(running, 3600)
    assert fire_timers(world, running) == [Reason.SNOOZE_OVER]
    assert shape(world, running)[-1] == ("a", "waiting")
    world.fire(running, 3)
    again, following = world.steps(running)[-2:]
    assert (following.node_name, following.due_at - again.due_at) == ("b", timedelta(seconds=600))


def test_a_snooze_ends_when_somebody_wants_it_to(world: World, running: Execution) -> None:
    do(world, snooze, running, HOUR)
    assert do(world, unsnooze, running).changed
    assert not do(world, unsnooze, running).changed
    assert (world.status(running), timers(world, running)) == ("running", [("snooze", "cancelled")])
    assert world.steps(running)[-1].due_at <= database_now(world.session)


@pytest.mark.parametrize("until", [timedelta(0), -HOUR, timedelta(days=31)])
def test_a_snooze_is_within_the_next_days(world: World, running: Execution, until: timedelta) -> None:
    with pytest.raises(InvalidInputError):
        do(world, snooze, running, until)
    assert world.status(running) == "running"


def test_the_same_alert_runs_once_more(world: World, running: Execution) -> None:
    do(world, resolve, running)
    add_node(world.session, flow_of(world, running), editor(world), added("x"))
    replayed = {}
    for original in (True, False):
        started = replay(
            world.session, world.dispatcher, running.id, original=original, actor_id=world.owner.id
        )
        assert started.created
        replayed[original] = started.execution
        again = replay(
            world.session, world.dispatcher, running.id, original=original, actor_id=world.owner.id
        )
        assert (again.created, again.execution.id) == (False, started.execution.id)
        do(world, cancel, started.execution)
    assert {original: row.revision_number for original, row in replayed.items()} == {True: 1, False: 2}
    assert replayed[True].summary == running.summary
    assert told(world, running, "replayed").detail["execution_id"] == str(replayed[False].id)


def test_what_runs_is_not_replayed(world: World, running: Execution) -> None:
    with pytest.raises(ConflictError, match="goes on"):
        replay(world.session, world.dispatcher, running.id, original=True, actor_id=world.owner.id)


def test_the_same_words_of_the_same_person_are_one_note(world: World, running: Execution) -> None:
    first, second, other = (
        add_note(world.session, running.id, text, world.owner.id).id for text in ("one", "one", "two")
    )
    assert first == second != other


@pytest.mark.parametrize(
    ("verb", "arguments", "status"),
    [
        (acknowledge, (), "cancelled"),
        (resolve, (), "cancelled"),
        (cancel, (), "resolved"),
        (snooze, (HOUR,), "resolved"),
        (unsnooze, (), "acknowledged"),
        (escalate, (2,), "resolved"),
    ],
)
def test_what_a_state_does_not_allow_is_refused_with_what_is_possible(
    world: World, running: Execution, verb: Any, arguments: tuple[Any, ...], status: str
) -> None:

    do(world, {"cancelled": cancel, "resolved": resolve, "acknowledged": acknowledge}[status], running)
    before = world.events(running)
    with pytest.raises(ConflictError) as refused:
        do(world, verb, running, *arguments)
    assert refused.value.facts["status"] == status
    assert refused.value.facts["possible"]
    assert (world.status(running), world.events(running)) == (status, before)
