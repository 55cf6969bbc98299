"""An execution goes on with the newest revision of its flow: told first, then done, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alertops.channels.base import ChannelError, Notification
from alertops.errors import ConflictError
from alertops.escalation.decision import Reason
from alertops.models import Execution, FlowRevision
from alertops.services.flows.edit_flow import add_node, remove_node, reorder_nodes
from alertops.services.rebase import preview_rebase, rebase
from tests.integration.operations.operating import (
    added,
    do,
    editor,
    flow_of,
    shape,
)
from tests.integration.world import World, node


def frozen_ids(world: World, execution: Execution) -> list[str]:
    revision = world.session.get_one(FlowRevision, (execution.flow_id, 1))
    return [node["id"] for node in revision.definition["nodes"]]


def test_a_rebase_is_told_before_and_then_done(world: World, running: Execution) -> None:
    add_node(world.session, flow_of(world, running), editor(world), added("x", 60), 1)
    told_before = preview_rebase(world.session, running.id)
    assert (told_before.from_revision, told_before.to_revision) == (1, 2)
    assert [step.node_name for step in told_before.before] == ["b", "c"]
    assert [step.node_name for step in told_before.after] == ["x", "b", "c"]
    assert shape(world, running) == [("a", "fired"), ("b", "waiting")]
    assert do(world, rebase, running, 2).changed
    assert not do(world, rebase, running, 2).changed
    assert shape(world, running) == [("a", "fired"), ("x", "waiting")]
    assert world.steps(running)[-1].due_at == told_before.after[0].due_at


def test_a_node_that_would_have_been_due_fires_at_once_and_once(world: World, running: Execution) -> None:
    world.pass_time(running, 600)
    world.fire(running, 2)
    add_node(world.session, flow_of(world, running), editor(world), added("x", 60), 1)
    do(world, rebase, running, 2)
    assert shape(world, running)[-1] == ("x", "waiting")
    assert world.fire(running, 3) is Reason.DUE
    # The rest is where the new plan has it: b has fired already, and c is due from the same anchor.
    assert shape(world, running) == [("a", "fired"), ("b", "fired"), ("x", "fired"), ("c", "waiting")]
    anchor = world.steps(running)[0].planned_at
    assert world.steps(running)[-1].due_at == anchor + timedelta(seconds=60 + 600 + 1200)


def test_a_node_that_was_removed_is_not_fired_and_reordered_ones_fire_once(
    world: World, running: Execution
) -> None:
    a, b, c = frozen_ids(world, running)
    reorder_nodes(world.session, flow_of(world, running), editor(world), [c, a, b])
    remove_node(world.session, flow_of(world, running), editor(world), b)
    do(world, rebase, running, 3)
    assert shape(world, running) == [("a", "fired"), ("c", "waiting")]
    world.pass_time(running, 1200)
    world.fire(running, 2)
    world.send(running, 2)
    assert world.status(running) == "exhausted"


def test_what_has_nothing_left_after_a_rebase_ends(world: World, running: Execution) -> None:
    for node_id in frozen_ids(world, running)[1:]:
        remove_node(world.session, flow_of(world, running), editor(world), node_id)
    do(world, rebase, running, 3)
    assert (world.status(running), shape(world, running)) == (
        "exhausted",
        [("a", "fired"), ("b", "cancelled")],
    )


def test_a_rebase_for_a_revision_that_is_not_the_newest_is_refused(world: World, running: Execution) -> None:
    add_node(world.session, flow_of(world, running), editor(world), added("x"))
    with pytest.raises(ConflictError, match="newest revision is 2, not 1"):
        do(world, rebase, running, 1)


def test_what_comes_in_place_of_what_is_due_as_nobody_was_told_is_due_too(
    world: World,
) -> None:
    """The first node reaches nobody, so the second is due at once; then another one stands in its place."""
    execution = world.start(world.flow(node("a", 0, attempts=1), node("b", 600), node("c", 1200)))
    world.fire(execution, 1)
    world.channel.on_open = refusing
    world.send(execution, 1)
    b = world.session.get_one(FlowRevision, (execution.flow_id, 1)).definition["nodes"][1]["id"]
    remove_node(world.session, flow_of(world, execution), editor(world), b)
    do(world, rebase, execution, 2)
    assert shape(world, execution) == [("a", "fired"), ("c", "waiting")]
    assert world.fire(execution, 2) is Reason.DUE


def refusing(_: Notification) -> None:
    raise ChannelError("550 there is no such mailbox", permanent=True)
