"""What a flow says, in few words for a terminal, and what is different between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alertops.escalation.diff import Change, Diff
from alertops.flow_files import durations

Addresses = Mapping[str, str]


def recipient_in_words(recipient: Mapping[str, Any], addresses: Addresses) -> str:
    """Such as `user ann@example.org`; `addresses` are by user id."""
    match recipient["type"]:
        case "group":
            return " + ".join(recipient_in_words(one, addresses) for one in recipient["recipients"])
        case "user":
            return f"user {addresses.get(recipient['user_id'], recipient['user_id'])}"
        case kind:
            return " ".join([kind, *(str(value) for name, value in recipient.items() if name != "type")])


def diff_in_words(diff: Diff, addresses: Addresses) -> Iterator[tuple[str, str]]:
    """One line for each thing that changes, with what it begins with: `+`, `-` or `~`."""
    for change in diff.changes:
        yield "~", _change(change, addresses)
    for placed in diff.removed:
        yield "-", f"node {placed.node.name}"
    for placed in diff.added:
        node = placed.node
        about = (
            f"{recipient_in_words(node.recipient, addresses)}, after {durations.to_text(node.delay_seconds)}"
        )
        yield "+", f"node {placed.position + 1}. {node.name}: {about}"
    for moved in diff.moved:
        yield "~", f"node {moved.name}: from place {moved.before + 1} to {moved.after + 1}"
    for changed in diff.changed:
        for change in changed.changes:
            yield "~", f"node {changed.name}: {_change(change, addresses)}"


def _change(change: Change, addresses: Addresses) -> str:
    name = change.pointer.removeprefix("/").replace("/", ".")
    before, after = (_value(name, value, addresses) for value in (change.before, change.after))
    return f"{name.removesuffix('_seconds')} {before} -> {after}"


def _value(name: str, value: Any, addresses: Addresses) -> str:
    if name == "recipient":
        return recipient_in_words(value, addresses)
    if name.endswith("_seconds"):
        return "never" if value is None else durations.to_text(value)
    return repr(value) if isinstance(value, str) else str(value)
