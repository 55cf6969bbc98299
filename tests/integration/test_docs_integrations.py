"""What docs/integrations.md says is done: by the real monitoring systems, where there are any."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pagerduty
import pytest
import requests
import trustme
import yaml
from flask import Flask
from sqlalchemy.orm import Session

from alertops.errors import ThrottledError
from alertops.models import Execution
from api.views.intake import door as doors
from tests.integration.alertmanager import Alertmanager, alertmanager
from tests.integration.doors import Door, door, executions, served, told
from tests.unit.test_intake import ALERT

PAGE = (Path(__file__).parents[2] / "docs" / "integrations.md").read_text()
HOST = "https://alertops.example.com"
STRICT = (
    'set -eu\ncurl() { command curl -sS --fail-with-body "$@" || { echo "refused: $*" >&2; exit 22; }; }\n'
)
PATIENCE_SECONDS = 30


def snippets(language: str, about: str) -> list[str]:
    """The page's blocks in this language that have this in them."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)
    return [block for block in found if about in block]


def settings(about: str, address: str, key: str) -> Any:
    block = snippets("yaml", about)[0]
    return yaml.safe_load(block.replace(HOST, address).replace("KEY", key))


def await_executions(session: Session, are: Callable[[list[Execution]], bool]) -> list[Execution]:
    until = time.monotonic() + PATIENCE_SECONDS
    while not are(found := executions(session)):
        assert time.monotonic() < until, [(e.summary, e.status) for e in found]
        time.sleep(0.1)
    return found


def all_are(status: str) -> Callable[[list[Execution]], bool]:
    return lambda found: bool(found) and all(execution.status == status for execution in found)


def test_pagerdutys_client(app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    [block] = snippets("python", "EventsApiV2Client")
    authority = trustme.CA()
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(ours)
    authority.configure_trust(theirs)
    real = pagerduty.EventsApiV2Client
    monkeypatch.setattr(pagerduty, "EventsApiV2Client", lambda *a, **more: real(*a, verify=theirs, **more))
    key = door(app, "pagerduty").key
    with served(app, ours) as address:
        exec(block.replace(HOST, address).replace("KEY", key), {})  # noqa: S102  our own page
    [execution] = executions(session)
    assert (execution.summary, execution.status) == ("Disk is full", "resolved")


def test_alertmanager(app: Flask, session: Session, tmp_path: Path) -> None:
    way_in = door(app, "alertmanager")
    with (
        served(app) as address,
        alertmanager(settings("webhook_configs", address, way_in.key), tmp_path) as peer,
    ):
        peer.fire("DiskFull", host="db1")
        peer.fire("DiskFull", host="db2")
        found = await_executions(session, lambda found: len(found) == 2)
        assert {execution.summary for execution in found} == {"DiskFull on db1", "DiskFull on db2"}
        assert {execution.severity for execution in found} == {"warning"}
        assert found[0].details["labels"]["alertname"] == "DiskFull"
        peer.fire("DiskFull", over=True, host="db1")
        await_executions(session, lambda found: {e.status for e in found} == {"resolved", "running"})
        peer.fire("DiskFull", over=True, host="db2")
        found = await_executions(session, all_are("resolved"))
    # However often its group was sent.
    assert len(found) == 2


def test_alertmanager_comes_again_when_it_is_told_that_there_is_too_much(
    app: Flask, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way_in, tries, real = door(app, "alertmanager"), iter(range(100)), doors.receive_events

    def throttled(*given: Any) -> Any:
        if next(tries) < 2:
            raise ThrottledError(1)
        return real(*given)

    monkeypatch.setattr(doors, "receive_events", throttled)
    with (
        served(app) as address,
        alertmanager(settings("webhook_configs", address, way_in.key), tmp_path) as peer,
    ):
        peer.fire("DiskFull")
        [execution] = await_executions(session, lambda found: len(found) == 1)
    assert told(session, execution)[0] == "started"
    assert next(tries) > 2


def test_alertmanagers_own_pagerduty_receiver(app: Flask, session: Session, tmp_path: Path) -> None:
    way_in = door(app, "pagerduty")

    def group(peer: Alertmanager, *, over: bool) -> None:
        for host in ("db1", "db2"):
            peer.fire("DiskFull", over=over, host=host)

    with (
        served(app) as address,
        alertmanager(settings("pagerduty_configs", address, way_in.key), tmp_path) as peer,
    ):
        group(peer, over=False)
        [execution] = await_executions(session, lambda found: len(found) == 1)
        assert execution.summary.startswith("[FIRING:")
        assert execution.details["client"] == "Alertmanager"
        group(peer, over=True)
        assert len(await_executions(session, all_are("resolved"))) == 1


def test_a_grafana_contact_point(app: Flask, session: Session) -> None:
    """There is no Grafana here: its notification, as it documents it, is sent as the contact point says."""
    way_in = door(app, "grafana")
    with served(app) as address:
        [point] = settings("contactPoints", address, way_in.key)["contactPoints"]
        said = point["receivers"][0]["settings"]
        headers = {
            "Authorization": f"{said['authorization_scheme']} {said['authorization_credentials']}",
        }
        more = {
            "values": {"B": 99.5},
            "valueString": "[ var='B' value=99.5 ]",
            "dashboardURL": "http://g/d/1",
        }
        for method, status in ((said["httpMethod"], "firing"), ("PUT", "firing"), ("PUT", "resolved")):
            body = {
                "receiver": "AlertOps",
                "state": "alerting",
                "alerts": [{**ALERT, **more, "status": status}],
            }
            answer = requests.request(method, said["url"], json=body, headers=headers, timeout=5)
            assert answer.status_code == 202
    [execution] = executions(session)
    assert (execution.status, execution.alert_count) == ("resolved", 2)
    assert execution.details["values"] == {"B": 99.5}


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_lines_of_the_page(app: Flask, session: Session, tmp_path: Path) -> None:
    way_in = door(app, "generic")
    calm = way_in.another_flow("Calm")
    known = {
        "TOKEN": way_in.owner.token,
        "TEAM": way_in.team,
        "FLOW": way_in.flow,
        "CALM": calm,
        "GENERIC": way_in.key,
        "GENERIC_ID": way_in.made["id"],
        "CLOUDEVENTS": way_in.another("cloudevents").key,
    }
    with served(app) as address:
        read = _read(snippets("sh", "curl"), {"API": address, **known}, tmp_path)
    assert (read.returncode, read.stderr) == (0, "")
    disk, load, sda = executions(session)
    assert (disk.summary, disk.status) == ("Disk is full", "resolved")
    assert (load.summary, load.severity, load.dedup_key) == ("Load on db1", "critical", "7")
    assert (sda.dedup_key, sda.status) == ("/db1/sda", "resolved")
    assert f'"flow_id":"{calm}"' in read.stdout.replace(" ", "").splitlines()[-2]


def _read(blocks: list[str], known: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own page
        ["sh", "-c", STRICT + "\n".join(blocks)],  # noqa: S607  the shell of whoever reads it
        env={**os.environ, **known},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_door_of_another_kind_is_no_way_in(app: Flask) -> None:
    other: Door = door(app, "grafana")
    client = app.test_client()
    headers = {"Authorization": f"Bearer {other.key}"}
    assert client.post("/integrations/grafana", json={"alerts": []}, headers=headers).status_code == 202
    assert client.post("/integrations/generic", json={"summary": "x"}, headers=headers).status_code == 401
    assert client.post("/integrations/generic", json={"summary": "x"}).status_code == 401
