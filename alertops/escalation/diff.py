"""What is different between two definitions of a flow, as a person would tell it.

A node is known by its id. It has *moved* only if it stands in another order among the nodes that both
have: what is pushed down by a node that was put in before it has not moved. As few nodes as possible
are said to have moved.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alertops.escalation.flow import Flow, Node, flow_to_json, node_to_json


@dataclass(frozen=True)
class Change:
    """A value that is another one now, at this JSON pointer into the flow or the node."""

    pointer: str
    before: Any
    after: Any


@dataclass(frozen=True)
class PlacedNode:
    """A node that only one of the two has, and its position there."""

    position: int
    node: Node


@dataclass(frozen=True)
class MovedNode:
    """A node that has overtaken others, or was overtaken. The name is the one that it has now."""

    id: str
    name: str
    before: int
    after: int


@dataclass(frozen=True)
class ChangedNode:
    """A node that says something else than before. The name is the one that it has now."""

    id: str
    name: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Diff:
    """All that leads from one definition to the other: `changes` of the flow itself, and its nodes."""

    changes: tuple[Change, ...]
    added: tuple[PlacedNode, ...]
    removed: tuple[PlacedNode, ...]
    moved: tuple[MovedNode, ...]
    changed: tuple[ChangedNode, ...]


def diff(before: Flow, after: Flow) -> Diff:
    """Compare two definitions; positions are counted from 0."""
    old = {node.id: PlacedNode(position, node) for position, node in enumerate(before.nodes)}
    new = {node.id: PlacedNode(position, node) for position, node in enumerate(after.nodes)}
    common = [(old[node.id], new[node.id]) for node in after.nodes if node.id in old]
    in_order = _longest_ascent([was.position for was, _ in common])
    return Diff(
        changes=_changes(_facts(flow_to_json(before)), _facts(flow_to_json(after))),
        added=tuple(placed for id_, placed in new.items() if id_ not in old),
        removed=tuple(placed for id_, placed in old.items() if id_ not in new),
        moved=tuple(
            MovedNode(now.node.id, now.node.name, was.position, now.position)
            for was, now in common
            if was.position not in in_order
        ),
        changed=tuple(_changed_nodes(common)),
    )


def _changed_nodes(common: Sequence[tuple[PlacedNode, PlacedNode]]) -> Iterator[ChangedNode]:
    for was, now in common:
        if changes := _changes(_facts(node_to_json(was.node)), _facts(node_to_json(now.node))):
            yield ChangedNode(now.node.id, now.node.name, changes)


def _facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Each value by its pointer. A recipient is one value: half of another one makes no sense."""
    facts = {f"/{name}": value for name, value in data.items() if name not in ("nodes", "retry")}
    facts.update({f"/retry/{name}": value for name, value in data.get("retry", {}).items()})
    return facts


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(
        Change(pointer, before[pointer], value)
        for pointer, value in after.items()
        if value != before[pointer]
    )


def _longest_ascent(numbers: Sequence[int]) -> set[int]:
    """As many of these distinct numbers as possible that stand in ascending order already."""
    lasts: list[int] = []  # the smallest number that an ascent of each length can end with
    before: dict[int, int | None] = {}
    for number in numbers:
        length = bisect_left(lasts, number)
        before[number] = lasts[length - 1] if length else None
        lasts[length : length + 1] = [number]
    ascent: set[int] = set()
    number_or_none = lasts[-1] if lasts else None
    while number_or_none is not None:
        ascent.add(number_or_none)
        number_or_none = before[number_or_none]
    return ascent
