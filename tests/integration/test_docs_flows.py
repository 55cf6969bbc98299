"""The lines of docs/flows.md are run, one after the other, as somebody would who reads it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from werkzeug.serving import make_server

from tests.integration.api_client import person
from tests.integration.editing import edited_flow

PAGE = Path(__file__).parents[2] / "docs" / "flows.md"
# Any line that is refused ends the reading.
STRICT = 'set -eu\ncurl() { command curl --fail-with-body "$@" || { echo "refused: $*" >&2; exit 22; }; }\n'


@pytest.fixture
def api(app: Flask) -> Iterator[str]:
    """The address of the API on a real socket."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_lines_of_the_page_work(app: Flask, api: str, tmp_path: Path) -> None:
    flow = edited_flow(person(app, "ann"), "a", "b")
    script = STRICT + "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.M | re.S))
    ids = {"API": api, "TOKEN": flow.ann.token, "FLOW": flow.id, "TEAM": flow.get()["team_id"]}
    read = subprocess.run(  # noqa: S603  our own page
        ["sh", "-c", script],  # noqa: S607  the shell of whoever reads it
        env={**os.environ, **ids},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (read.returncode, read.stderr) == (0, "")
    revisions = [flow.get(f"/revisions/{number}") for number in range(1, 8)]
    said = ["a b", "a b", "first a b", "b a first", "b a first", "b a", "first a b"]
    assert [" ".join(node["name"] for node in each["nodes"]) for each in revisions] == said
    assert {each["name"] for each in revisions[1:]} == {"Nights"}
    assert flow.get()["archived_at"] is None
