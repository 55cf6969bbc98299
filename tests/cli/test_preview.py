"""What a flow will do, asked of the API and drawn; and what it says about files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.recorded import ID, Recorded
from tests.cli.terminal import Terminal

TEXT = "{name: Network, nodes: [{name: first, delay: 5m, recipient: {type: email, email: a@example.org}}]}"
TEAM = {"id": ID, "name": "Operations"}
NOBODY: dict[str, Any] = {"items": [], "next_cursor": None}


def entry(offset: int, event: str, step: int | None = None, attempt: int | None = None) -> dict[str, Any]:
    numbers = {"step_number": step, "target_number": None, "attempt_number": attempt}
    at = f"2026-01-31T12:{offset // 60:02}:00Z"
    node = "first" if step else None
    return {"at": at, "offset_seconds": offset, "event": event, **numbers, "node_name": node, "detail": {}}


PREVIEW = {
    "start": "2026-01-31T12:00:00Z",
    "revision_number": 3,
    "status": "exhausted",
    "ends_at": "2026-01-31T12:10:00Z",
    "timeline": [entry(0, "started"), entry(300, "step_fired", 1), entry(600, "attempt_failed", 1, 2)],
    "warnings": [{"pointer": "/nodes/0/delay_seconds", "code": "ends_early", "detail": "It ends soon."}],
}
PROBLEM = {
    "status": 422,
    "detail": "The request is not valid; see errors.",
    "errors": [{"pointer": "/nodes/0/delay_seconds", "detail": "Too long."}],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "network.yaml"
    file.write_text(TEXT)
    return file


def test_a_flow_is_drawn_along_its_time(terminal: Terminal, server: Recorded) -> None:
    flow = {"id": ID, "name": "Network"}
    server.say(200, flow)
    server.then(PREVIEW)
    what_if = (
        "--start",
        "2026-01-31T13:00:00+01:00",
        "--acknowledge-at",
        "10m",
        "--fail",
        "1",
        "--fail",
        "3",
    )
    drawn = [line.rstrip() for line in terminal.text("preview", ID, *what_if, "--unknown", "2").splitlines()]
    assert server.asked[-1].path == f"/flows/{ID}/preview"
    assert server.asked[-1].query == {
        "start": "2026-01-31T12:00:00Z",
        "acknowledge_at": "2026-01-31T12:10:00Z",
        "fail": "1,3",
        "unknown": "2",
    }
    assert drawn[0] == "Starts at 2026-01-31 12:00:00 UTC, and is exhausted at 2026-01-31 12:10:00."
    assert drawn[3] == "+0s   ●                                       started"
    assert drawn[4] == "+5m   ────────────────●                 1     first step fired"
    assert drawn[5] == "+10m  ───────────────────────────────●  1     first attempt failed, try 2"
    assert drawn[6] == "warning: It ends soon."


def test_a_file_is_previewed_without_being_saved(terminal: Terminal, server: Recorded, file: Path) -> None:
    server.say(200, TEAM)
    server.then(NOBODY)
    server.then(PREVIEW)
    assert terminal.json("preview", file, "--start", "2026-01-31T12:00:00Z") == PREVIEW
    asked = server.asked[-1]
    assert (asked.method, asked.path) == ("POST", f"/teams/{ID}/flows/preview")
    assert asked.body["start"] == "2026-01-31T12:00:00Z"
    assert asked.body["nodes"][0]["delay_seconds"] == 300


@pytest.mark.parametrize("words", [("preview",), ("flow", "lint")])
def test_what_the_api_refuses_is_told_at_the_line_of_the_file(
    terminal: Terminal, server: Recorded, file: Path, words: tuple[str, ...]
) -> None:
    server.say(200, TEAM)
    server.then(NOBODY)
    server.then(PROBLEM, 422)
    told = terminal.text(*words, file, exit_code=6)
    assert told == f"{file}:1:39: nodes[0].delay: Too long.\n"


def test_lint_tells_warnings_at_their_lines(terminal: Terminal, server: Recorded, file: Path) -> None:
    server.say(200, TEAM)
    server.then(NOBODY)
    server.then(PREVIEW)
    told = terminal.text("flow", "lint", file)
    assert told.splitlines() == [
        f"{file}:1:39: nodes[0].delay: warning: It ends soon.",
        "1 files, 1 warnings",
    ]


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("hold", "maintenance: Upgrade holds it until 2026-01-31 14:00:00 UTC"),
        ("drop", "maintenance: Upgrade drops it"),
    ],
)
def test_maintenance_at_the_start_is_told(terminal: Terminal, server: Recorded, mode: str, line: str) -> None:
    server.say(200, {"id": ID, "name": "Network"})
    met = {"window_id": ID, "name": "Upgrade", "mode": mode, "until": "2026-01-31T14:00:00Z"}
    server.then({**PREVIEW, "maintenance": met})
    assert terminal.text("preview", ID).splitlines()[1].rstrip() == line
