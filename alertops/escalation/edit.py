"""Edits of a flow, as functions from one definition to the next. A node keeps its id through all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from alertops.escalation.flow import MAX_NODES, Flow, Node, node_from_json, node_to_json


class EditError(ValueError):
    """The flow does not allow this edit.

    Each of `faults` is a JSON pointer into what was asked for, and what is wrong there. Without faults
    it is the flow that stands in the way, and not what was asked for.
    """

    def __init__(self, detail: str, *faults: tuple[str, str]) -> None:
        self.faults = faults
        super().__init__(detail)


def change_flow(flow: Flow, changes: Mapping[str, Any]) -> Flow:
    """Give it another name, description or number of repetitions, other times or groups."""
    groups = {"group_by": tuple(changes["group_by"])} if "group_by" in changes else {}
    return replace(flow, **{**changes, **groups})


def add_node(flow: Flow, node: Node, position: int | None = None) -> Flow:
    """Put the node there, before what is there now; without a position, at the end."""
    count = len(flow.nodes)
    if count >= MAX_NODES:
        raise EditError(f"the flow has {count} nodes, which is as many as a flow can have")
    at = count if position is None else position
    if at > count:
        raise EditError("no such position", ("/position", f"Must be at most {count}, which is the end."))
    return replace(flow, nodes=(*flow.nodes[:at], node, *flow.nodes[at:]))


def change_node(flow: Flow, node_id: str, changes: Mapping[str, Any]) -> Flow:
    """Change these members of the node, and within `retry` these members of the policy."""
    return replace(
        flow, nodes=tuple(_changed(node, changes) if node.id == node_id else node for node in flow.nodes)
    )


def remove_node(flow: Flow, node_id: str) -> Flow:
    """Take the node out; a flow that would tell nobody is refused."""
    left = tuple(node for node in flow.nodes if node.id != node_id)
    if not left:
        raise EditError("it is the flow's only node, and a flow needs at least one")
    return replace(flow, nodes=left)


def reorder(flow: Flow, node_ids: Sequence[str]) -> Flow:
    """Bring the nodes into this order, which must name each of them once and nothing else."""
    by_id = {node.id: node for node in flow.nodes}
    if faults := _not_a_permutation(by_id, node_ids):
        raise EditError("not an order of the flow's nodes", *faults)
    return replace(flow, nodes=tuple(by_id[node_id] for node_id in node_ids))


def _not_a_permutation(known: Mapping[str, Node], node_ids: Sequence[str]) -> list[tuple[str, str]]:
    named: Counter[str] = Counter()
    faults = []
    if missing := [node_id for node_id in known if node_id not in node_ids]:
        faults.append(("/node_ids", f"Missing: {', '.join(missing)}."))
    for place, node_id in enumerate(node_ids):
        named[node_id] += 1
        if node_id not in known:
            faults.append((f"/node_ids/{place}", f"Unknown: the flow has no node {node_id}."))
        elif named[node_id] > 1:
            faults.append((f"/node_ids/{place}", f"Repeated: {node_id}."))
    return faults


def _changed(node: Node, changes: Mapping[str, Any]) -> Node:
    before = node_to_json(node)
    retry = {**before["retry"], **changes.get("retry", {})}
    return node_from_json({**before, **changes, "retry": retry})
