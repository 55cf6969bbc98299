"""Runs what a file under deploy/ starts, as plain processes: its commands, environments and health checks.

What is replaced is what a machine has one of: addresses of servers, ports, and where a file is.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import requests

from deploy.first_secrets import make_secrets
from deploy.local import ports
from deploy.local.fleet import CHECKOUT
from deploy.local.stack import Addresses
from tests.deploy.deployed import Deployed

READY_SECONDS = 60
HERE = Path(sys.executable).parent
# Where the files say that the API and Flower listen.
LISTENING = ("8000", "5555")


def read_environment(file: Path) -> dict[str, str]:
    """As Docker reads it."""
    pairs = (line.partition("=") for line in file.read_text().splitlines())
    return {name: value for name, _, value in pairs}


@dataclass
class Process:
    """One of them, running."""

    deployed: Deployed
    popen: subprocess.Popen[bytes]
    environment: Mapping[str, str]
    health: tuple[str, ...] | None
    log: Path

    def healthy(self) -> bool:
        """As its health check says: 0 is well."""
        assert self.popen.poll() is None, f"{self.deployed.name} has ended:\n{self.log.read_text()[-4000:]}"
        assert self.health, f"{self.deployed.name} has no health check"
        checked = subprocess.run(self.health, check=False, capture_output=True, env=self.environment)  # noqa: S603
        return checked.returncode == 0

    def stop(self) -> float:
        """End it as declared; returns the seconds that it took, and fails if they are more than declared."""
        started = time.monotonic()
        self.popen.send_signal(self.deployed.stop_signal)
        self.popen.wait(self.deployed.grace_seconds)
        return time.monotonic() - started


@dataclass
class Deployment:
    """What is started, by name, with these programs, on these servers. Leaving the context kills it."""

    of: Mapping[str, Deployed]
    folder: Path
    addresses: Addresses
    smtp_port: int
    # The checks of a file that has none for its workers: whoever runs it asks the same.
    checks: Mapping[str, tuple[str, ...]]
    programs: Path = HERE
    sources: Path | None = CHECKOUT
    running: dict[str, Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        make_secrets(self.folder / "secrets", "localhost")
        self._ports = {port: str(ports.choose()) for port in LISTENING}

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['8000']}"

    @property
    def flower_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['5555']}"

    @property
    def flower_credentials(self) -> tuple[str, str]:
        said = read_environment(self.folder / "secrets" / "flower.env")["FLOWER_BASIC_AUTH"]
        name, _, password = said.partition(":")
        return name, password

    def start(self, name: str, **variables: str) -> Process:
        deployed = self.of[name]
        environment = {**self._environment(deployed), **variables}
        log = self.folder / f"{name}.log"
        program, *words = self._here(deployed.command)
        with log.open("ab") as output:
            popen = subprocess.Popen(  # noqa: S603  the words of our own files
                [self.programs / program, *words],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        health = deployed.health or self.checks.get(name)
        process = Process(deployed, popen, environment, health and self._here(health), log)
        self.running[name] = process
        return process

    def _environment(self, deployed: Deployed) -> dict[str, str]:
        files = ["alertops.env", *(["flower.env"] if deployed.name == "flower" else [])]
        said: dict[str, str] = {}
        for file in files:
            said |= read_environment(self.folder / "secrets" / file)
        replaced = {
            **self.addresses.as_environment(),
            "ALERTOPS_SMTP_HOST": ports.ADDRESS,
            "ALERTOPS_SMTP_PORT": str(self.smtp_port),
        }
        assert set(replaced) <= set(said)
        own = {"ALERTOPS_PUBLIC_URL": "https://localhost", **deployed.environment}
        if "ALERTOPS_JWT_KEYS_FILE" in own:
            own["ALERTOPS_JWT_KEYS_FILE"] = str(self.folder / "secrets" / "signing-keys.pem")
        outside = {"PYTHONPATH": str(self.sources)} if self.sources else {}
        # Nothing else of ours: a container has no more than this.
        path = {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": "/nonexistent"}
        quiet = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}
        return {**outside, **quiet, **said, **own, **replaced, **path}

    def _here(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """On ports of our own, and closed to other machines."""
        for port, ours in self._ports.items():
            words = tuple(
                word.replace(f":{port}", f":{ours}").replace(f"={port}", f"={ours}") for word in words
            )
        return tuple(word.replace("0.0.0.0", ports.ADDRESS) for word in words)  # noqa: S104  it is taken out

    def wait_healthy(self, name: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        process = self.running[name]
        while not process.healthy():
            assert time.monotonic() < deadline, f"{name} is not healthy:\n{process.log.read_text()[-4000:]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running.values():
            process.popen.kill()
            process.popen.wait()


def get(url: str, credentials: tuple[str, str] | None = None) -> requests.Response:
    return requests.get(url, auth=credentials, timeout=10)
