"""What all tests share: the private servers, started once and stopped at the end.

Several processes may share a run (`pytest -n 2`, as `make test` does): each has servers of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local import ports
from deploy.local.locks import exclusive
from deploy.local.stack import PrivateStack, stack_from_environment
from tests import measured

# Each process has servers of its own, so that two runs in one checkout do not stop each other's.
RUNS = Path(__file__).parent.parent / ".local" / "test"


@pytest.fixture(scope="session")
def stack() -> Iterator[PrivateStack]:
    """A Postgres and a RabbitMQ of this run's own, or those that the environment names."""
    _clean_up_after_crashed_runs()
    running = stack_from_environment(RUNS / str(os.getpid()), report=print)
    with running:
        yield running
    running.remove()
    shutil.rmtree(running.root)


def pytest_configure(config: pytest.Config) -> None:
    """Processes of one run start servers in the same moment: each chooses from ports of its own."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        number = int(worker["workerid"].removeprefix("gw"))
        ports.CHOICE = ports.CHOICE[number :: worker["workercount"]]


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["measured"] = measured.hand_over()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of several processes has come to its end, or has crashed, and then has no output."""
    if handed := getattr(node, "workeroutput", {}).get("measured"):
        measured.take_over(handed)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if sentences := list(measured.sentences()):
        terminalreporter.section("measured")
        for sentence in sentences:
            terminalreporter.line(sentence)


def _clean_up_after_crashed_runs() -> None:
    RUNS.mkdir(parents=True, exist_ok=True)
    with exclusive(RUNS, print):
        for root in RUNS.glob("*"):
            if root.name.isdigit() and not psutil.pid_exists(int(root.name)):
                PrivateStack(root).remove()
                shutil.rmtree(root)
