"""The command line as somebody runs it, and the API on a real socket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from structlog.testing import capture_logs
from werkzeug.serving import make_server

from alertops.cli.people.store import Login, Store
from tests.cli.recorded import ID, Recorded, recorded
from tests.cli.terminal import Terminal
from tests.integration.api_client import Person, person
from tests.integration.conftest import (
    all_sessions,
    app,
    database_url,
    migrated_database,
    publisher,
    session,
    sessions,
    shared_app,
)
from tests.security.conftest import quick_hashes

__all__ = [
    "all_sessions",
    "app",
    "database_url",
    "migrated_database",
    "publisher",
    "quick_hashes",
    "session",
    "sessions",
    "shared_app",
]


@pytest.fixture
def api(app: Flask) -> Iterator[str]:
    """The address of the API."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    # What the API logs would be among what a command prints: they are one process here.
    with capture_logs():
        yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal where nobody has logged in."""
    for name in ("ALERTOPS_TOKEN", "ALERTOPS_API_KEY", "ALERTOPS_API_URL", "ALERTOPS_TEAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Terminal(tmp_path / "config" / "alertops")


@pytest.fixture
def ann(app: Flask, api: str, terminal: Terminal) -> Person:
    """Somebody who has logged in, and has a team."""
    ann = person(app, "ann")
    tokens = {"access_token": ann.token, "refresh_token": ann.refresh_token, "expires_at": time.time() + 900}
    Store(terminal.folder).write(Login(api, "ann@example.org", **tokens))
    ann.make("/teams", {"name": "Operations"})
    return ann


@pytest.fixture
def server(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """A server that answers as it is told; commands ask it, for the team ID."""
    with recorded() as server:
        monkeypatch.setenv("ALERTOPS_TOKEN", "a token")
        monkeypatch.setenv("ALERTOPS_API_URL", server.url)
        monkeypatch.setenv("ALERTOPS_TEAM", ID)
        yield server
