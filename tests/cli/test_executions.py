"""An alert, from the terminal: raised, seen, answered, watched to its end."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import pytest

from alertops.cli.people import watch
from tests.cli.recorded import recorded
from tests.cli.terminal import Terminal
from tests.integration.api_client import Person, a_flow, a_node


@pytest.fixture
def flow(ann: Person) -> dict[str, Any]:
    team = (ann.get("/teams").json or {})["items"][0]["id"]
    return ann.make(f"/teams/{team}/flows", a_flow(a_node(), a_node("second"), name="Database"))


@pytest.mark.usefixtures("flow")
def test_an_alert_is_raised_seen_and_answered(terminal: Terminal) -> None:
    started = terminal.json("trigger", "Database", "disk full", "--severity", "error", "--dedup-key", "disk")
    assert (started["summary"], started["severity"], started["status"]) == ("disk full", "error", "running")
    joined = terminal.text("trigger", "Database", "disk full", "--dedup-key", "disk")
    assert joined == f"Joined execution {started['id']}\n"
    listed = terminal.json("executions", "list", "--status", "running")
    assert [each["id"] for each in listed] == [started["id"]]
    assert started["id"] in terminal.text("executions", "list")
    assert terminal.json("executions", "list", "--status", "resolved") == []
    assert terminal.text("ack", started["id"]) == f"Execution {started['id']} is acknowledged.\n"
    assert "was acknowledged already" in terminal.text("ack", started["id"])
    assert terminal.json("resolve", started["id"])["status"] == "resolved"
    shown = terminal.json("executions", "show", started["id"])
    assert shown["timeline"][0]["event"] == "started"
    text = terminal.text("executions", "show", started["id"])
    assert "first" in text
    assert "disk full" in text


@pytest.mark.usefixtures("flow")
def test_details_come_from_standard_input(terminal: Terminal) -> None:
    words = ("trigger", "Database", "disk full", "--details", "-", "--output", "json")
    started = terminal.run(*words, says='{"host": "db1"}')
    assert json.loads(started.stdout)["details"] == {"host": "db1"}
    for nonsense in ("[1]", "{"):
        assert terminal.run(*words, says=nonsense).exit_code == 2


@pytest.mark.usefixtures("flow")
def test_what_somebody_typed_does_not_steer_the_terminal(terminal: Terminal) -> None:
    started = terminal.json("trigger", "Database", "\x1b[2J\x1b]0;owned\x07 [red]disk[/red]\u202e")
    for words in (("executions", "list"), ("executions", "show", started["id"])):
        told = terminal.text(*words)
        assert "[red]disk[/red]" in told
        assert not {"\x1b", "\x07", "\u202e"} & set(told)


def test_watching_ends_when_it_is_over(
    terminal: Terminal, flow: dict[str, Any], ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = ann.make(f"/flows/{flow['id']}/executions", {"summary": "disk full"})
    looked: list[float] = []

    def resolve_after_the_first_look(_: float) -> None:
        looked.append(time.monotonic())
        ann.post(f"/executions/{started['id']}/resolve")

    monkeypatch.setattr(watch, "sleep", resolve_after_the_first_look)
    lines = terminal.run("executions", "watch", started["id"], "--output", "json")
    assert lines.exit_code == 0
    events = [json.loads(line)["event"] for line in lines.stdout.splitlines()]
    assert events[0] == "started"
    assert events[-1] == "resolved"
    assert len(events) == len(set(events)), "told twice"
    assert len(looked) == 1
    assert "resolved" in terminal.text("executions", "watch", started["id"])


def test_watching_outlasts_an_api_that_is_away(
    terminal: Terminal, flow: dict[str, Any], ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = ann.make(f"/flows/{flow['id']}/executions", {"summary": "disk full"})
    ann.post(f"/executions/{started['id']}/resolve")
    real, away = watch.Api.get, [True, True]

    def sometimes(api: watch.Api, path: str, **query: Any) -> Any:
        if away and away.pop():
            raise watch.UnreachableError("cannot be reached.")
        return real(api, path, **query)

    monkeypatch.setattr(watch.Api, "get", sometimes)
    monkeypatch.setattr(watch, "sleep", lambda _: None)
    result = terminal.run("executions", "watch", started["id"])
    assert result.exit_code == 0
    assert result.stderr.count("Asking again") == 2
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", -1.0)
    away.append(True)
    assert terminal.run("executions", "watch", started["id"]).exit_code == 3


@pytest.mark.usefixtures("flow")
def test_what_is_not_there_is_refused(terminal: Terminal) -> None:
    assert "no such" in terminal.text("ack", str(uuid4()), exit_code=1)
    assert "not a valid UUID" in terminal.text("ack", "disk", exit_code=2)
    assert "There is no flow 'Network'" in terminal.text("trigger", "Network", "down", exit_code=2)
    assert "There is no team 'Nobody'" in terminal.text("executions", "list", "--team", "Nobody", exit_code=2)


def test_a_team_is_chosen(terminal: Terminal, ann: Person) -> None:
    other = ann.make("/teams", {"name": "Others"})["id"]
    assert "You are in several teams" in terminal.text("executions", "list", exit_code=2)
    assert terminal.json("executions", "list", "--team", other) == []
    assert terminal.json("team", "use", "Others")["id"] == other
    assert terminal.json("executions", "list") == []
    assert "*" in terminal.text("team", "list")
    assert terminal.json("team", "show")["members"][0]["email"] == "ann@example.org"
    ann.make("/teams", {"name": "Others"})
    assert "2 teams are called 'Others'" in terminal.text("team", "use", "Others", exit_code=2)


def test_an_answer_that_is_no_api_is_told(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTOPS_TOKEN", "x")
    with recorded() as server:
        monkeypatch.setenv("ALERTOPS_API_URL", server.url)
        server.say(200, "<html>", content_type="text/html")
        assert "is not the AlertOps API" in terminal.text("team", "list", exit_code=3)
        server.say(502, "<html>", content_type="text/html")
        assert "cannot answer now: status 502" in terminal.text("team", "list", exit_code=3)
        server.say(302, "", headers={"Location": "http://elsewhere/"})
        assert "is not the AlertOps API" in terminal.text("team", "list", exit_code=3)


def test_what_runs_is_taken_hold_of(terminal: Terminal, ann: Person, flow: dict[str, Any]) -> None:
    """Every operation, as the API has it."""
    id_ = terminal.json("trigger", "Database", "disk full")["id"]
    assert terminal.json("escalate", id_)["changed"]
    assert terminal.json("snooze", id_, "--for", "30m", "--reason", "known")["status"] == "snoozed"
    assert terminal.json("unsnooze", id_)["status"] == "running"
    changed = ann.call("PATCH", f"/flows/{flow['id']}", {"repeat": 1}, headers={"If-Match": "*"})
    assert changed.status_code == 200
    assert terminal.json("rebase", id_, "--yes")["changed"]
    assert terminal.json("reassign", id_, "--user", "ann@example.org")["changed"]
    assert terminal.json("note", id_, "on it")["detail"] == {"text": "on it"}
    assert terminal.json("cancel", id_, "--reason", "a drill")["status"] == "cancelled"
    assert terminal.json("replay", id_)["replay_of"] == id_
    refused = terminal.run("snooze", id_, "--for", "30m")
    assert refused.exit_code == 1
    assert "cancelled" in refused.stderr
