"""What comes next is changed: escalated to at once, or handed to another flow or a member."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from alertops.errors import ConflictError, InvalidInputError
from alertops.escalation.decision import Reason
from alertops.models import Execution, Membership, TimelineEntry, User
from alertops.services.acknowledge import acknowledge
from alertops.services.escalate import escalate
from alertops.services.flows.edit_flow import add_node
from alertops.services.reassign import reassign_to_flow, reassign_to_user
from alertops.services.rebase import rebase
from tests.integration.operations.operating import (
    added,
    do,
    editor,
    flow_of,
    shape,
)
from tests.integration.world import World, node


def test_what_comes_next_fires_now_and_the_rest_counts_from_now(world: World, running: Execution) -> None:
    world.pass_time(running, 60)
    assert do(world, escalate, running, 2).changed
    assert not do(world, escalate, running, 2).changed
    assert world.fire(running, 2) is Reason.DUE
    fired, waiting = world.steps(running)[1:]
    assert waiting.due_at - fired.due_at == timedelta(seconds=1200)
    assert not do(world, escalate, running, 2).changed
    assert shape(world, running)[-1] == ("c", "waiting")


@pytest.mark.parametrize("step", [3, 99])
def test_another_step_than_the_next_one_is_refused(world: World, running: Execution, step: int) -> None:
    with pytest.raises(ConflictError, match="step 2 comes next"):
        do(world, escalate, running, step)


def test_what_was_acknowledged_can_be_escalated(world: World, running: Execution) -> None:
    do(world, acknowledge, running)
    assert do(world, escalate, running, 3).changed
    assert (world.status(running), shape(world, running)[-1]) == ("running", ("b", "waiting"))


def test_another_flow_takes_over_from_its_beginning(world: World, running: Execution) -> None:
    other = world.flow(node("x", 30), node("y", 60))
    do(world, reassign_to_flow, running, other.id)
    assert shape(world, running) == [("a", "fired"), ("b", "cancelled"), ("x", "waiting")]
    assert not do(world, reassign_to_flow, running, other.id).changed
    world.pass_time(running, 30)
    assert world.fire(running, 3) is Reason.DUE
    assert [attempt.address for attempt in world.attempts(running)][-1] == "x@example.com"
    assert world.session.get_one(Execution, running.id).flow_id == other.id


def test_what_was_under_way_when_it_was_reassigned_is_not_tried_again(world: World) -> None:
    running, other = world.start(world.flow(node("a", 0))), world.flow(node("x", 30))
    world.fire(running, 1)
    world.channel.on_open = lambda _: do(world, reassign_to_flow, running, other.id) and None
    world.send(running, 1)
    assert world.channel.accepted == []
    assert [attempt.status for attempt in world.attempts(running)] == ["cancelled"]
    assert world.status(running) == "running"


def test_a_member_is_told_at_once_and_then_it_is_exhausted(world: World, running: Execution) -> None:
    ann = User(email="ann@example.com", name="Ann", password_hash="-")
    world.session.add(ann)
    world.session.flush()
    world.session.add(Membership(team_id=world.team.id, user_id=ann.id, role="member"))
    world.session.commit()
    do(world, reassign_to_user, running, ann.id)
    assert not do(world, reassign_to_user, running, ann.id).changed
    assert shape(world, running)[-1] == ("handed to Ann", "waiting")
    world.fire(running, 3)
    world.send(running, 3)
    assert world.channel.accepted[-1].address == "ann@example.com"
    assert world.status(running) == "exhausted"
    with pytest.raises(InvalidInputError):
        do(world, reassign_to_user, running, world.team.id)


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("verb", [escalate, reassign_to_flow, rebase])
def test_who_changed_the_course_and_why_is_told_once(
    world: World, running: Execution, verb: Any, acknowledged: bool
) -> None:
    if acknowledged:
        do(world, acknowledge, running)
    add_node(world.session, flow_of(world, running), editor(world), added("x"))
    arguments = {
        escalate: 3 if acknowledged else 2,
        reassign_to_flow: world.flow(node("y", 30)).id,
        rebase: 2,
    }
    assert do(world, verb, running, arguments[verb], note="why").changed
    query = select(TimelineEntry).where(TimelineEntry.execution_id == running.id)
    said = [entry for entry in world.session.scalars(query) if entry.detail.get("note") == "why"]
    assert [entry.actor_id for entry in said] == [world.owner.id]
