"""`python -m deploy.local run` and `stop`, as a person types them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from deploy.local.fleet import CHECKOUT, fleet_processes
from deploy.local.stack import Addresses
from tests.acceptance.alerts import until

pytestmark = pytest.mark.acceptance


def command(root: Path, verb: str, addresses: Addresses) -> str:
    done = subprocess.run(  # noqa: S603 - the words are those of the tests below
        [sys.executable, "-m", "deploy.local", "--root", root, verb],
        check=False,
        cwd=CHECKOUT,
        env={**os.environ, **addresses.as_environment()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "stack"
    fleet_processes(tmp_path / "stack").kill()


def test_run_starts_everything_once_and_stop_ends_it(root: Path, addresses: Addresses) -> None:
    told = command(root, "run", addresses)
    pids = fleet_processes(root).pids
    assert re.sub("TOKEN=.*", "", command(root, "run", addresses)) == re.sub("TOKEN=.*", "", told)
    assert fleet_processes(root).pids == pids

    shell = dict(re.findall(r"(API|FLOW|TOKEN)=(\S+)", told))
    answer = requests.post(
        f"{shell['API']}/api/v1/flows/{shell['FLOW']}/executions",
        json={"summary": "Disk is full"},
        headers={"Authorization": f"Bearer {shell['TOKEN']}"},
        timeout=10,
    )
    assert answer.status_code == 202
    alert = f"X-AlertOps-Execution: {answer.json()['id']}"
    until(
        lambda: any(alert in mail.read_text() for mail in (root / "mail" / "new").iterdir()),
        within=10,
        what="the alert's mail",
    )
    assert requests.get(f"{shell['API']}/docs", timeout=10).ok

    command(root, "stop", addresses)
    assert not fleet_processes(root).running
    command(root, "stop", addresses)
