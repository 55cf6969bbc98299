"""What all tests share: the private servers, started once and stopped at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.stack import PrivateStack, stack_from_environment

# Each run has servers of its own, so that two runs in one checkout do not stop each other's.
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


def _clean_up_after_crashed_runs() -> None:
    for root in RUNS.glob("*"):
        if root.name.isdigit() and not psutil.pid_exists(int(root.name)):
            PrivateStack(root).remove()
            shutil.rmtree(root)
