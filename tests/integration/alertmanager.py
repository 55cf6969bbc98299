"""A real Prometheus Alertmanager, on a free port and with a folder of its own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import yaml

from deploy.local import binaries, ports

READY_SECONDS = 30
# Groups wait for what else may come, for half a minute and more; here nothing else does.
AT_ONCE = {"group_wait": "0s", "group_interval": "1s"}


@dataclass(frozen=True)
class Alertmanager:
    """One that is running."""

    url: str
    process: subprocess.Popen[bytes]

    def fire(self, name: str, *, over: bool = False, **labels: str) -> None:
        """Have the alert fire, or be over, as Prometheus would say it."""
        now = datetime.now(UTC)
        alert = {
            "labels": {"alertname": name, "severity": "warning", **labels},
            "annotations": {"summary": f"{name} on {labels.get('host', 'a host')}"},
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": (now if over else now + timedelta(hours=1)).isoformat(),
        }
        requests.post(f"{self.url}/api/v2/alerts", json=[alert], timeout=5).raise_for_status()


@contextmanager
def alertmanager(configuration: dict[str, Any], folder: Path) -> Iterator[Alertmanager]:
    """Run it with this configuration, but for the waiting."""
    binaries.ensure_installed([binaries.MONITOR], report=print)
    configuration = {**configuration, "route": {**configuration["route"], **AT_ONCE}}
    file, port = folder / "alertmanager.yml", ports.choose()
    file.write_text(yaml.safe_dump(configuration))
    command = [
        str(binaries.alertmanager()),
        f"--config.file={file}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603  our own command
    try:
        running = Alertmanager(f"http://127.0.0.1:{port}", process)
        _await(running, folder / "log")
        yield running
    finally:
        process.terminate()
        process.wait(timeout=10)


def _await(running: Alertmanager, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and running.process.poll() is None:
        try:
            if requests.get(f"{running.url}/-/ready", timeout=1).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(f"Alertmanager did not start:\n{log.read_text()}")
