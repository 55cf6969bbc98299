"""What the commands ask of the API, word for word, and how they tell what it answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.recorded import ID, Asked, Recorded
from tests.cli.terminal import Terminal

USER = "00000000-0000-4000-8000-000000000001"
ANSWER = {"id": ID, "team_id": ID, "status": "running", "changed": True, "in_flight": []}


@pytest.mark.parametrize(
    ("words", "operation", "body"),
    [
        (["ack", ID], "acknowledge", {}),
        (["ack", ID, "--note", "on it"], "acknowledge", {"note": "on it"}),
        (["resolve", ID, "--note", "disk added"], "resolve", {"note": "disk added"}),
        (["cancel", ID, "--reason", "a drill"], "cancel", {"reason": "a drill"}),
        (["snooze", ID, "--for", "1h30m"], "snooze", {"for_seconds": 5400}),
        (
            ["snooze", ID, "--until", "2026-01-31T12:00:00+02:00", "--reason", "night"],
            "snooze",
            {"until": "2026-01-31T10:00:00Z", "reason": "night"},
        ),
        (["unsnooze", ID], "unsnooze", {}),
        (["escalate", ID, "--step", "2"], "escalate", {"step": 2}),
        (["reassign", ID, "--flow", ID], "reassign", {"flow_id": ID}),
        (["replay", ID], "replay", {"revision": "current"}),
        (["replay", ID, "--original"], "replay", {"revision": "original"}),
        (["note", ID, "looked at it"], "notes", {"text": "looked at it"}),
    ],
)
def test_each_command_is_one_request(
    terminal: Terminal, server: Recorded, words: list[str], operation: str, body: dict[str, Any]
) -> None:
    server.say(200, ANSWER)
    assert terminal.json(*words) == ANSWER
    assert server.asked[-1] == Asked("POST", f"/executions/{ID}/{operation}", {}, body)
    assert terminal.text(*words) == f"Execution {ID} is running.\n"


def test_escalate_names_the_step_that_comes_next(terminal: Terminal, server: Recorded) -> None:
    server.say(200, {**ANSWER, "next_step": 2})
    terminal.text("escalate", ID)
    assert server.asked[-1].body == {"step": 2}
    server.say(200, {**ANSWER, "next_step": None})
    assert "No step of this execution comes next" in terminal.text("escalate", ID, exit_code=1)


def test_a_member_is_named_by_address(terminal: Terminal, server: Recorded) -> None:
    server.say(200, ANSWER)
    server.then({"items": [{"id": USER, "email": "Ann@example.org"}], "next_cursor": None})
    server.then(ANSWER)
    terminal.text("reassign", ID, "--user", "ann@example.org")
    assert server.asked[-1].body == {"user_id": USER}


@pytest.mark.parametrize(
    "words",
    [
        ["snooze", ID],
        ["snooze", ID, "--for", "1h", "--until", "2026-01-31T12:00:00Z"],
        ["snooze", ID, "--for", "90"],
        ["snooze", ID, "--until", "tomorrow"],
        ["snooze", ID, "--until", "2026-01-31T12:00:00"],
        ["reassign", ID],
        ["reassign", ID, "--flow", ID, "--user", "a@example.org"],
        ["rebase", ID],
        ["escalate", ID, "--step", "0"],
    ],
)
def test_what_makes_no_command_asks_for_no_change(
    terminal: Terminal, server: Recorded, words: list[str]
) -> None:
    server.say(200, {**ANSWER, "from_revision": 1, "to_revision": 2, "before": [], "after": []})
    terminal.text(*words, exit_code=2)
    assert [asked for asked in server.asked if asked.body != {"apply": False}] == []


def test_sends_that_had_begun_are_told(terminal: Terminal, server: Recorded) -> None:
    send = {"channel": "email", "address": "a@example.org"}
    server.say(200, {**ANSWER, "changed": False, "in_flight": [send]})
    told = terminal.text("ack", ID)
    assert f"Execution {ID} was running already." in told
    assert "not called back: email to a@example.org" in told


def test_a_refusal_says_what_the_state_is(terminal: Terminal, server: Recorded) -> None:
    problem = {"status": 409, "detail": "It is over.", "errors": [], "current": {"status": "resolved"}}
    server.say(409, problem, content_type="application/problem+json")
    result = terminal.run("ack", ID, "--output", "json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: It is over.\n  now: status resolved\n"


def test_a_rebase_is_shown_before_it_is_done(terminal: Terminal, server: Recorded) -> None:
    def step(name: str) -> dict[str, Any]:
        return {"number": 2, "node_name": name, "due_at": "2026-01-31T12:00:00Z"}

    told = {"from_revision": 1, "to_revision": 3, "before": [step("old")], "after": [step("new")]}
    server.say(200, told)
    shown = terminal.text("rebase", ID, "--check")
    assert "By revision 1:" in shown
    assert "new" in shown
    assert server.asked[-1].body == {"apply": False}
    server.say(200, told)
    server.then(ANSWER)
    assert terminal.json("rebase", ID, "--yes") == ANSWER
    assert server.asked[-1].body == {"apply": True, "revision": 3}


MANY = {"changed": [ID], "unchanged": [], "more": False}


@pytest.mark.parametrize(("name", "operation"), [("ack", "acknowledge"), ("resolve", "resolve")])
def test_many_are_answered_at_once(terminal: Terminal, server: Recorded, name: str, operation: str) -> None:
    server.say(200, {"id": ID, "name": "Team"})
    server.then(MANY)
    words = ["--severity", "info", "--before", "2026-01-31T12:00:00+02:00", "--note", "a drill", "--team", ID]
    assert terminal.json("executions", name, *words, "--yes") == MANY
    wanted = {"severity": "info", "created_before": "2026-01-31T10:00:00Z", "note": "a drill"}
    assert server.asked[-1] == Asked("POST", f"/teams/{ID}/executions/{operation}", {}, wanted)


def test_the_next_hundred_is_not_asked_for_unseen(terminal: Terminal, server: Recorded) -> None:
    server.say(200, {"id": ID, "name": "Team"})
    server.then({**MANY, "more": True})
    told = terminal.text("executions", "ack", "--status", "running", "--team", ID, "--yes")
    assert told == "1 changed, 0 were so already. There are more: ask again.\n"
    assert [asked.method for asked in server.asked].count("POST") == 1


@pytest.mark.parametrize("words", [["--team", ID, "--yes"], ["--status", "running", "--team", ID]])
def test_many_are_not_answered_by_mistake(terminal: Terminal, server: Recorded, words: list[str]) -> None:
    server.say(200, {"id": ID, "name": "Team"})
    terminal.text("executions", "ack", *words, exit_code=2)
    assert "POST" not in [asked.method for asked in server.asked]
