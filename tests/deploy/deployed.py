"""What the files under deploy/ start: the same facts about each process, whichever file they are from."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
SYSTEMD = DEPLOY / "systemd"
BASE = DEPLOY / "kubernetes" / "base"
BIN = "/opt/alertops/bin/"

# `sh` is told to run what follows `CMD-SHELL`; two dollars are how Compose writes one.
_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True)
class Deployed:
    """One process: its command and environment, how it is asked whether it works, how it is ended."""

    name: str
    command: tuple[str, ...]
    grace_seconds: float
    environment: dict[str, str] = field(default_factory=dict)
    health: tuple[str, ...] | None = None
    stop_signal: Signals = Signals.SIGTERM


def composed() -> dict[str, Deployed]:
    """The services that are started from our image."""
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    return {name: _service(name, said) for name, said in services.items() if "build" in said}


def _service(name: str, said: dict[str, Any]) -> Deployed:
    return Deployed(
        name,
        tuple(said["command"]),
        _seconds(said.get("stop_grace_period", "10s")),
        {variable: _interpolated(value) for variable, value in said["environment"].items()},
        _health(said.get("healthcheck", {}).get("test")),
        Signals[said["stop_signal"]],
    )


def _health(test: list[str] | None) -> tuple[str, ...] | None:
    if test is None:
        return None
    kind, *words = test
    return tuple(words) if kind == "CMD" else (*_SHELL, *(word.replace("$$", "$") for word in words))


def _seconds(duration: str) -> float:
    amount = re.fullmatch(r"(\d+)s", duration)
    assert amount, f"{duration} is not a number of seconds such as 30s"
    return float(amount[1])


def _interpolated(value: str) -> str:
    """With the defaults, as when nothing is set where `docker compose` is called."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def clustered() -> dict[str, Deployed]:
    """The pods of the Kubernetes base: Deployments, and the Job."""
    pods = (document for document in manifests() if document["kind"] in {"Deployment", "Job"})
    return {deployed.name: deployed for deployed in map(_pod, pods)}


def manifests() -> list[dict[str, Any]]:
    """Every document of the base but the kustomization itself."""
    files = sorted(set(BASE.glob("*.yaml")) - {BASE / "kustomization.yaml"})
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def _pod(workload: dict[str, Any]) -> Deployed:
    spec = workload["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    probe = container.get("readinessProbe", {})
    return Deployed(
        workload["metadata"]["name"].removeprefix("alertops-"),
        tuple(container["args"]),
        spec.get("terminationGracePeriodSeconds", 30),
        {variable["name"]: variable["value"] for variable in container.get("env", ())},
        tuple(probe["exec"]["command"]) if "exec" in probe else None,
    )


def units() -> dict[str, Deployed]:
    """The services of systemd."""
    return {
        file.stem.removeprefix("alertops-"): _unit(file.stem.removeprefix("alertops-"), file)
        for file in SYSTEMD.glob("alertops-*.service")
    }


def _unit(name: str, file: Path) -> Deployed:
    service = _read_unit(file)["Service"]
    shared = _read_unit(SYSTEMD / "alertops-.service.d" / "shared.conf")["Service"]
    (line,) = service["ExecStart"]
    command = shlex.split(line.replace("%%", "%"))
    assert command[0].startswith(BIN), f"{file.name} starts {command[0]}, which is not below {BIN}"
    variables = (word.partition("=") for words in service.get("Environment", ()) for word in words.split())
    return Deployed(
        name,
        (command[0].removeprefix(BIN), *command[1:]),
        float(service.get("TimeoutStopSec", ["90"])[0]),
        {variable: value for variable, _, value in variables},
        stop_signal=Signals[shared["KillSignal"][0]],
    )


def _read_unit(file: Path) -> dict[str, dict[str, list[str]]]:
    """Sections of settings; a setting may be said several times, and goes on after a backslash."""
    sections: dict[str, dict[str, list[str]]] = {}
    for line in file.read_text().replace("\\\n", " ").splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = sections.setdefault(header[1], {})
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            section.setdefault(name, []).append(value)
    return sections


def normal(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command in one spelling: `--option=value` as two words, and without where it listens."""
    words = [part for word in command for part in _split(word)]
    where = {"--bind", "--address", "--port"}
    listening = {at + more for at, word in enumerate(words) if word in where for more in (0, 1)}
    return tuple(word for at, word in enumerate(words) if at not in listening)


def _split(word: str) -> list[str]:
    name, equals, value = word.partition("=")
    return [name, value] if word.startswith("--") and equals else [word]
