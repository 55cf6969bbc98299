"""A file's words <-> the API's: durations, users by their addresses, nodes by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alertops.escalation.flow import (
    USUAL_GROUP_WINDOW_SECONDS,
    Flow,
    OnFailure,
    OnUnknown,
    RetryPolicy,
    flow_from_json,
)
from alertops.flow_files import durations
from alertops.flow_files.faults import FlowFileError, Path
from alertops.flow_files.read import FlowFile

Content = dict[str, Any]

# What is a duration, by its name in files; in the API's it ends with `_seconds`.
_OF_FLOW = ("ack_timeout", "resolve_after", "group_window")
_OF_NODE = ("delay",)
_OF_RETRY = ("backoff", "max_backoff", "budget")

# What it means that a file, or the API, is silent about something.
_USUAL_FLOW: Content = {
    "description": "",
    "repeat": 0,
    "ack_timeout_seconds": None,
    "resolve_after_seconds": None,
    "group_by": [],
    "group_window_seconds": USUAL_GROUP_WINDOW_SECONDS,
}
_USUAL_NODE: Content = {"on_failure": OnFailure.ESCALATE.value, "on_unknown": OnUnknown.RESEND.value}
_USUAL_RETRY: Content = vars(RetryPolicy())


def definition_of(file: FlowFile, user_ids: Mapping[str, str]) -> Content:
    """What the file says, as the API takes it; `user_ids` are the team's members by address in lower case.

    Raises `FlowFileError` when somebody who is named is not among them.
    """
    strangers = [
        file.document.fault(path, "No member of the team has this address.")
        for path, address in _named(file.content)
        if address.lower() not in user_ids
    ]
    if strangers:
        raise FlowFileError(strangers)
    return _flow_in_seconds(file.content, user_ids)


def content_of(flow: Mapping[str, Any], addresses: Mapping[str, str]) -> Content:
    """A flow as the API tells it, in a file's words, without what is as usual; `addresses` are by user id."""
    content = _unusual(flow, {"name": flow["name"], **_USUAL_FLOW})
    said = {"name": flow["name"], **_in_units(content, _OF_FLOW)}
    return {**said, "nodes": [_node_in_units(node, addresses) for node in flow["nodes"]]}


def flow_of(definition: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> Flow:
    """The definition as the core's flow; what the API tells besides it is passed over.

    Nodes without an id get that of the node of the same name in `known`. The id of a new one is its name,
    until the API gives it another.
    """
    ids = node_ids(known)
    nodes = [
        {
            "id": ids.get(node["name"], node["name"]),
            **_USUAL_NODE,
            **node,
            "retry": {**_USUAL_RETRY, **node.get("retry", {})},
        }
        for node in definition["nodes"]
    ]
    return flow_from_json({**_USUAL_FLOW, **definition, "nodes": nodes})


def node_ids(flow: Mapping[str, Any] | None) -> dict[str, str]:
    """The ids of a flow's nodes by their names; where several have one name, the first."""
    return {node["name"]: node["id"] for node in reversed(flow["nodes"])} if flow else {}


def path_in_file(pointer: str) -> Path:
    """The place in a file that the API means by this JSON pointer into a definition."""
    steps: list[str | int] = []
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~").removesuffix("_seconds")
        steps.append(int(name) if name.isdecimal() else name)
    if steps and steps[-1] == "user_id":
        steps[-1] = "email"
    return tuple(steps)


def _named(content: Content) -> Iterator[tuple[Path, str]]:
    """Every address that names a user, and where."""
    for position, node in enumerate(content["nodes"]):
        path: Path = ("nodes", position, "recipient")
        recipient = node["recipient"]
        within = enumerate(recipient.get("recipients", []))
        each = [(path, recipient), *(((*path, "recipients", index), one) for index, one in within)]
        for where, one in each:
            if one["type"] == "user" and "email" in one:
                yield (*where, "email"), one["email"]


def _flow_in_seconds(content: Content, user_ids: Mapping[str, str]) -> Content:
    nodes = [_node_in_seconds(node, user_ids) for node in content["nodes"]]
    return {**_in_seconds(content, _OF_FLOW), "nodes": nodes}


def _node_in_seconds(node: Content, user_ids: Mapping[str, str]) -> Content:
    retry = {"retry": _in_seconds(node["retry"], _OF_RETRY)} if "retry" in node else {}
    recipient = _by_id(node["recipient"], user_ids)
    return {**_in_seconds(node, _OF_NODE), "recipient": recipient, **retry}


def _node_in_units(node: Mapping[str, Any], addresses: Mapping[str, str]) -> Content:
    retry = _in_units(_unusual(node["retry"], _USUAL_RETRY), _OF_RETRY)
    said = {"name": node["name"], "recipient": _by_address(node["recipient"], addresses)}
    said["delay"] = durations.to_text(node["delay_seconds"])
    return {**said, **({"retry": retry} if retry else {}), **_unusual(node, _USUAL_NODE)}


def _by_id(recipient: Content, user_ids: Mapping[str, str]) -> Content:
    if recipient["type"] == "group":
        return {**recipient, "recipients": [_by_id(one, user_ids) for one in recipient["recipients"]]}
    if recipient["type"] == "user" and "email" in recipient:
        return {"type": "user", "user_id": user_ids[recipient["email"].lower()]}
    if recipient["type"] == "user":
        return {"type": "user", "user_id": recipient["user_id"].lower()}
    if recipient["type"] == "destination":
        return {"type": "destination", "destination_id": recipient["destination_id"].lower()}
    return recipient


def _by_address(recipient: Content, addresses: Mapping[str, str]) -> Content:
    if recipient["type"] == "group":
        return {**recipient, "recipients": [_by_address(one, addresses) for one in recipient["recipients"]]}
    # Who has left the team has no address to be named by.
    if recipient["type"] == "user" and recipient["user_id"] in addresses:
        return {"type": "user", "email": addresses[recipient["user_id"]]}
    return dict(recipient)


def _in_seconds(values: Content, names: tuple[str, ...]) -> Content:
    return {
        f"{name}_seconds" if name in names else name: _seconds(value) if name in names else value
        for name, value in values.items()
    }


def _in_units(values: Content, names: tuple[str, ...]) -> Content:
    plain = {f"{name}_seconds": name for name in names}
    return {
        plain.get(name, name): durations.to_text(value) if name in plain and value is not None else value
        for name, value in values.items()
    }


def _seconds(value: str | int | None) -> int | None:
    return None if value is None else durations.to_seconds(value)


def _unusual(values: Mapping[str, Any], usual: Content) -> Content:
    """Of these values those that are not as usual. An API that does not know a member is silent about it."""
    return {name: values[name] for name, is_usual in usual.items() if values.get(name, is_usual) != is_usual}
