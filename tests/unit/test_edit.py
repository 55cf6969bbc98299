"""Edits: what was not asked for stays as it was, and a node stays itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from alertops.escalation.edit import EditError, add_node, change_flow, change_node, remove_node, reorder
from alertops.escalation.flow import MAX_NODES, Flow, Node, OnFailure, RetryPolicy
from tests.unit.test_flow import flows, nodes


def a_node(name: str) -> Node:
    return Node(
        id=name, name=name, recipient={"type": "email", "email": f"{name}@example.com"}, delay_seconds=5
    )


def a_flow(names: str) -> Flow:
    return Flow(tuple(map(a_node, names)))


def names(flow: Flow) -> str:
    return "".join(node.id for node in flow.nodes)


@given(flows, st.data())
def test_an_order_moves_nodes_and_changes_none(flow: Flow, data: st.DataObject) -> None:
    order = data.draw(st.permutations([node.id for node in flow.nodes]))
    assert [node.id for node in reorder(flow, order).nodes] == order
    assert reorder(reorder(flow, order), [node.id for node in flow.nodes]) == flow


@given(st.lists(st.sampled_from("abcdX"), max_size=6))
def test_an_order_that_is_no_permutation_is_refused_with_each_fault(order: list[str]) -> None:
    assume(sorted(order) != ["a", "b", "c", "d"])
    with pytest.raises(EditError) as caught:
        reorder(a_flow("abcd"), order)
    told = dict(caught.value.faults)
    missing = [name for name in "abcd" if name not in order]
    assert told.get("/node_ids") == (f"Missing: {', '.join(missing)}." if missing else None)
    for place, name in enumerate(order):
        fault = told.get(f"/node_ids/{place}", "fine").partition(":")[0]
        expected = "Unknown" if name == "X" else "Repeated" if name in order[:place] else "fine"
        assert fault == expected


@given(flows, nodes, st.data())
def test_a_node_that_is_added_and_removed_leaves_the_flow_as_it_was(
    flow: Flow, node: Node, data: st.DataObject
) -> None:
    position = data.draw(st.one_of(st.none(), st.integers(0, len(flow.nodes))))
    added = add_node(flow, node, position)
    assert added.nodes[len(flow.nodes) if position is None else position] == node
    assert remove_node(added, node.id) == flow


def test_a_position_behind_the_end_is_refused() -> None:
    assert names(add_node(a_flow("ab"), a_node("c"), 2)) == "abc"
    with pytest.raises(EditError) as caught:
        add_node(a_flow("ab"), a_node("c"), 3)
    assert caught.value.faults == (("/position", "Must be at most 2, which is the end."),)


def test_a_full_flow_takes_no_more_nodes() -> None:
    full = Flow(tuple(a_node(str(number)) for number in range(MAX_NODES)))
    with pytest.raises(EditError, match="has 50 nodes") as caught:
        add_node(full, a_node("more"), 0)
    assert caught.value.faults == ()
    assert len(add_node(remove_node(full, "7"), a_node("more")).nodes) == MAX_NODES


def test_the_last_node_cannot_be_removed() -> None:
    assert names(remove_node(a_flow("ab"), "a")) == "b"
    with pytest.raises(EditError, match="at least one") as caught:
        remove_node(a_flow("b"), "b")
    assert caught.value.faults == ()


def test_a_change_of_a_node_is_a_change_of_what_was_named() -> None:
    policy = RetryPolicy(max_attempts=7, backoff_seconds=20, backoff_factor=1.5, max_backoff_seconds=99)
    node = replace(a_node("b"), retry=policy)
    flow = Flow((a_node("a"), node))
    changes: dict[str, Any] = {"delay_seconds": 9, "on_failure": "wait", "retry": {"max_attempts": 1}}
    changed = change_node(flow, "b", changes)
    expected = replace(
        node, delay_seconds=9, on_failure=OnFailure.WAIT, retry=replace(policy, max_attempts=1)
    )
    assert changed.nodes == (a_node("a"), expected)


@given(flows)
def test_a_change_of_nothing_changes_nothing(flow: Flow) -> None:
    assert change_flow(flow, {}) == flow
    for node in flow.nodes:
        assert change_node(flow, node.id, {}) == flow
        assert change_node(flow, node.id, {"retry": {}}) == flow


def test_a_change_of_the_flow_leaves_its_nodes_alone() -> None:
    flow = a_flow("ab")
    assert change_flow(flow, {"name": "new", "repeat": 3}) == replace(flow, name="new", repeat=3)
