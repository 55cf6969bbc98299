"""A team's flows are made what its files say: planned, shown, asked, and done once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from alertops.cli.people import apply
from alertops.models import Membership
from api.extensions import db
from tests.cli.terminal import Terminal
from tests.integration.api_client import Person, a_flow, a_node, person

DATABASE = """name: Database
description: Whoever is on call, then everybody.
nodes:
  - name: on call
    recipient: {type: user, email: ann@example.org}
    delay: 0
    retry: {max_attempts: 5, backoff: 30s}
  - name: manager
    recipient: {type: email, email: manager@example.org}
    delay: 10m
"""
NETWORK = "{name: Network, nodes: [{name: a, delay: 5m, recipient: {type: email, email: a@example.org}}]}"


class Folder:
    """Files in a folder, and `alertops flow apply` of it."""

    def __init__(self, terminal: Terminal, path: Path, ann: Person) -> None:
        self.terminal, self.path, self.ann = terminal, path, ann
        self.team = (ann.get("/teams").json or {})["items"][0]["id"]
        path.mkdir()

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    def apply(self, *words: str, exit_code: int = 0) -> list[dict[str, Any]]:
        result = self.terminal.run("flow", "apply", "-f", self.path, "--output", "json", *words)
        assert result.exit_code == exit_code, result.output
        flows: list[dict[str, Any]] = json.loads(result.stdout)["flows"]
        return flows

    def actions(self, *words: str, exit_code: int = 0) -> dict[str, str]:
        return {flow["name"]: flow["action"] for flow in self.apply(*words, exit_code=exit_code)}

    def flows(self) -> dict[str, dict[str, Any]]:
        return {flow["name"]: flow for flow in self.terminal.json("flow", "list")}


@pytest.fixture
def folder(terminal: Terminal, tmp_path: Path, ann: Person) -> Folder:
    return Folder(terminal, tmp_path / "flows", ann)


def test_flows_are_created_and_a_second_time_there_is_nothing_to_do(folder: Folder) -> None:
    folder.write("db.yaml", DATABASE)
    folder.write("more/network.yml", NETWORK)
    folder.write("README.md", "not a flow")
    assert folder.actions("--check", exit_code=5) == {"Database": "create", "Network": "create"}
    assert folder.flows() == {}
    done = folder.apply("--yes")
    assert [flow["done"] for flow in done] == [True, True]
    made = folder.flows()
    assert made["Database"]["nodes"][0]["recipient"] == {"type": "user", "user_id": str(folder.ann.id)}
    assert made["Database"]["nodes"][0]["retry"]["max_attempts"] == 5
    assert folder.actions("--yes") == folder.actions("--check") == {"Database": "same", "Network": "same"}
    assert folder.flows() == made


def test_a_change_is_shown_and_nodes_stay_themselves(folder: Folder) -> None:
    folder.write("db.yaml", DATABASE)
    folder.apply("--yes")
    before = folder.flows()["Database"]
    text = DATABASE.replace("delay: 10m", "delay: 15m").replace("5, backoff: 30s", "3, backoff: 10s")
    text = text.replace("description: Whoever is on call, then everybody.\n", "repeat: 2\n")
    folder.write("db.yaml", text.replace("nodes:\n", f"nodes:\n  - {NETWORK[24:-2]}\n"))
    shown = folder.terminal.text("flow", "apply", "-f", folder.path, "--check", exit_code=5)
    assert [line.strip() for line in shown.splitlines()] == [
        f"~ change Database  ({folder.path}/db.yaml)",
        "~ description 'Whoever is on call, then everybody.' -> ''",
        "~ repeat 0 -> 2",
        "+ node 1. a: email a@example.org, after 5m",
        "~ node on call: retry.max_attempts 5 -> 3",
        "~ node on call: retry.backoff 30s -> 10s",
        "~ node manager: delay 10m -> 15m",
    ]
    assert folder.actions("--yes") == {"Database": "change"}
    after = folder.flows()["Database"]
    assert after["revision"] == 2, "one change, one revision"
    assert [node["id"] for node in after["nodes"]][1:] == [node["id"] for node in before["nodes"]]
    assert folder.actions("--check") == {"Database": "same"}


def test_what_has_no_file_is_archived_only_when_that_is_asked_for(folder: Folder) -> None:
    folder.ann.make(f"/teams/{folder.team}/flows", a_flow(name="Old"))
    folder.write("db.yaml", DATABASE)
    assert folder.actions("--yes") == {"Database": "create"}
    assert set(folder.flows()) == {"Database", "Old"}
    assert folder.actions("--yes", "--prune") == {"Database": "same", "Old": "archive"}
    assert set(folder.flows()) == {"Database"}
    assert folder.terminal.json("flow", "list", "--archived")[0]["name"] == "Old"


def test_a_flow_that_somebody_changed_meanwhile_is_left_alone(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("db.yaml", DATABASE)
    folder.write("network.yaml", NETWORK)
    folder.apply("--yes")
    folder.write("db.yaml", DATABASE.replace("10m", "20m"))
    folder.write("network.yaml", NETWORK.replace("5m", "6m"))
    flow_id = folder.flows()["Database"]["id"]

    def somebody_is_faster(_: Any) -> None:
        change = {"description": "mine"}
        answer = folder.ann.call("PATCH", f"/flows/{flow_id}", change, headers={"If-Match": "*"})
        assert answer.status_code == 200

    monkeypatch.setattr(apply, "_ask", somebody_is_faster)
    done = {flow["name"]: flow for flow in folder.apply(exit_code=1)}
    assert "Somebody changed it" in done["Database"]["refusal"]
    assert done["Network"]["done"] is True
    left = folder.flows()["Database"]
    assert (left["description"], left["nodes"][1]["delay_seconds"]) == ("mine", 600)


def test_any_fault_in_any_file_stops_everything(folder: Folder) -> None:
    db = folder.write("db.yaml", DATABASE.replace("delay: 10m", "delay: 600"))
    other = folder.write("other.yaml", "name: [")
    twice = folder.write("twice.yaml", NETWORK)
    again = folder.write("z.yaml", NETWORK)
    told = folder.terminal.text("flow", "apply", "-f", folder.path, "--yes", exit_code=6)
    assert told.splitlines() == [
        f"{db}:10:5: nodes[1].delay: Say the unit: 600s, 600m or 600h.",
        f"{other}:1:8: Not YAML: expected the node content, but found '<stream end>'.",
        f"{again}:1:2: name: {twice} has a flow of this name too.",
    ]
    assert folder.flows() == {}


def test_who_is_not_in_the_team_is_told_before_anything_is_done(folder: Folder) -> None:
    folder.write("a.yaml", NETWORK)
    db = folder.write("db.yaml", DATABASE.replace("ann@", "eve@"))
    told = folder.terminal.text("flow", "apply", "-f", folder.path, "--yes", exit_code=6)
    assert told == f"{db}:5:29: nodes[0].recipient.email: No member of the team has this address.\n"
    assert folder.flows() == {}


def test_what_only_the_api_knows_is_told_at_the_line_of_the_file(folder: Folder) -> None:
    db = folder.write("db.yaml", DATABASE.replace("manager@example.org", "no..body@ex_ample"))
    folder.write("network.yaml", NETWORK)
    told = folder.terminal.text("flow", "apply", "-f", folder.path, "--yes", exit_code=1)
    assert f"{db}:9:30: nodes[1].recipient.email: 'no..body@ex_ample' is not a mail address" in told
    assert "1 of 2 done." in told
    assert set(folder.flows()) == {"Network"}


def test_two_flows_of_one_name_are_told(folder: Folder) -> None:
    for _ in range(2):
        folder.ann.make(f"/teams/{folder.team}/flows", a_flow(name="Network"))
    file = folder.write("network.yaml", NETWORK)
    told = folder.terminal.text("flow", "apply", "-f", folder.path, "--yes", exit_code=6)
    assert told == f"{file}:1:2: name: The team has 2 flows of this name; rename or archive.\n"


def test_nobody_is_asked_where_nobody_is(folder: Folder) -> None:
    folder.write("network.yaml", NETWORK)
    assert "--yes" in folder.terminal.text("flow", "apply", "-f", folder.path, exit_code=2)
    assert folder.flows() == {}
    (folder.path / "network.yaml").unlink()
    assert "no file" in folder.terminal.text("flow", "apply", "-f", folder.path, exit_code=6)


def test_what_is_exported_is_what_is_there(folder: Folder, app: Flask) -> None:
    bob = person(app, "Bob")
    with app.app_context():
        db.session.add(Membership(team_id=UUID(folder.team), user_id=bob.id, role="member"))
        db.session.commit()
    user = {"type": "user", "user_id": str(bob.id)}
    retry = {"max_attempts": 7, "backoff_seconds": 1, "backoff_factor": 1.5, "max_backoff_seconds": 90}
    odd = a_node("on", recipient=user, retry=retry, on_failure="wait", on_unknown="hold")
    folder.ann.make(f"/teams/{folder.team}/flows", a_flow(odd, a_node("1e3"), name="2026-01-31", repeat=3))
    folder.ann.make(f"/teams/{folder.team}/flows", a_flow(name="../evil", description="a\n\tb: #"))
    told = folder.terminal.text("flow", "export", "--all", "--to", folder.path)
    assert sorted(file.name for file in folder.path.iterdir()) == ["2026-01-31.yaml", "evil.yaml"]
    assert "2 files" in told
    assert folder.actions("--check", "--prune") == {"2026-01-31": "same", "../evil": "same"}
    assert "There already" in folder.terminal.text(
        "flow", "export", "--all", "--to", folder.path, exit_code=1
    )
    one = folder.terminal.text("flow", "export", "2026-01-31")
    assert one == (folder.path / "2026-01-31.yaml").read_text()
    assert "email: Bob@example.org" in one
    assert "max_backoff: 1m30s" in one


def test_what_a_file_cannot_say_is_not_exported(folder: Folder) -> None:
    folder.ann.make(f"/teams/{folder.team}/flows", a_flow(a_node("a"), a_node("a"), name="Twins"))
    told = folder.terminal.text("flow", "export", "Twins", "--to", folder.path, exit_code=6)
    assert told == "Twins: nodes[1].name: Another node is called 'a' too.\n"
    assert list(folder.path.iterdir()) == []


def test_a_flow_is_shown(folder: Folder) -> None:
    folder.write("db.yaml", DATABASE)
    folder.apply("--yes")
    shown = folder.terminal.text("flow", "show", "Database")
    assert "user ann@example.org" in shown
    assert "+10m" in shown
    shown = {**folder.flows()["Database"], "warnings": []}
    assert folder.terminal.json("flow", "show", "Database") == shown


def test_files_are_checked_without_anybody_being_asked(folder: Folder, api: str) -> None:
    file = folder.write("db.yaml", DATABASE)
    assert folder.terminal.text("flow", "lint", file, "--offline") == "1 files, 0 warnings\n"
    folder.write("db.yaml", DATABASE.replace("delay: 0", "delay: soon"))
    assert "Must be a duration" in folder.terminal.text("flow", "lint", folder.path, "--offline", exit_code=6)


def test_a_flow_is_previewed_as_the_api_has_it_saved_or_not(folder: Folder) -> None:
    file = folder.write("db.yaml", DATABASE)
    asked = ("--start", "2030-01-01T00:00:00Z", "--fail", "1", "--acknowledge-at", "1h")
    unsaved = folder.terminal.json("preview", file, *asked)
    folder.apply("--yes")
    saved = folder.terminal.json("preview", "Database", *asked)
    assert (unsaved["revision_number"], saved["revision_number"]) == (None, 1)
    assert unsaved["timeline"] == saved["timeline"]
    assert {"step_fired", "attempt_failed"} <= {entry["event"] for entry in saved["timeline"]}
    assert "attempt failed" in folder.terminal.text("preview", "Database", *asked)
