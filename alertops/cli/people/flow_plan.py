"""What has to be done so that a team's flows are as its files say. A flow is known by its name.

in a file, not in the team   create
in both, and different       change, for the version that was looked at
in both, and the same        nothing
in the team alone            archive, if that is asked for; else nothing
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from alertops.cli.people.api import Api
from alertops.cli.people.flow_folder import addresses_of, bad_files, definitions_of
from alertops.escalation.diff import Diff, diff
from alertops.flow_files.definition import flow_of, node_ids
from alertops.flow_files.read import FlowFile


@dataclass(frozen=True)
class Intent:
    """One flow: what is to be done with it. `etag` is the version that this was found out from."""

    action: str
    name: str
    file: FlowFile | None = None
    flow_id: str | None = None
    etag: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    diff: Diff | None = None


@dataclass(frozen=True)
class Plan:
    """All of them, and the team's addresses by user id, to tell it with."""

    team_id: str
    intents: list[Intent]
    addresses: dict[str, str]

    @property
    def changes(self) -> list[Intent]:
        return [intent for intent in self.intents if intent.action != "same"]


def plan_flows(api: Api, team_id: str, files: Sequence[FlowFile], *, prune: bool) -> Plan:
    """Look at the team's flows, and plan. Raises `BadFilesError`; nothing is changed."""
    addresses = addresses_of(api, team_id)
    definitions = definitions_of(files, addresses)
    flows = list(api.items(f"/teams/{team_id}/flows"))
    _require_distinct(files, flows)
    ids = {flow["name"]: flow["id"] for flow in flows}
    intents = [
        _change(api, ids[file.name], file, definition)
        if file.name in ids
        else Intent("create", file.name, file, body=definition)
        for file, definition in zip(files, definitions, strict=True)
    ]
    if prune:
        intents += _archives(api, flows, {file.name for file in files})
    return Plan(team_id, intents, addresses)


def _change(api: Api, flow_id: str, file: FlowFile, definition: dict[str, Any]) -> Intent:
    answer = api.get(f"/flows/{flow_id}")
    difference = diff(flow_of(answer.json), flow_of(definition, answer.json))
    action = "change" if any(vars(difference).values()) else "same"
    ids = node_ids(answer.json)
    nodes = [{**node, **_id(ids.get(node["name"]))} for node in definition["nodes"]]
    return Intent(action, file.name, file, flow_id, answer.etag, {**definition, "nodes": nodes}, difference)


def _id(node_id: str | None) -> dict[str, str]:
    return {"id": node_id} if node_id else {}


def _archives(api: Api, flows: Sequence[dict[str, Any]], kept: set[str]) -> Iterator[Intent]:
    for flow in flows:
        if flow["name"] not in kept:
            etag = api.get(f"/flows/{flow['id']}").etag
            yield Intent("archive", flow["name"], flow_id=flow["id"], etag=etag)


def _require_distinct(files: Sequence[FlowFile], flows: Sequence[dict[str, Any]]) -> None:
    count = Counter(flow["name"] for flow in flows)
    faults = [
        file.document.fault(
            ("name",), f"The team has {count[file.name]} flows of this name; rename or archive."
        )
        for file in files
        if count[file.name] > 1
    ]
    if faults:
        raise bad_files(faults)
