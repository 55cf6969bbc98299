"""What all tests share: the private servers, started once and stopped at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.stack import PrivateStack, stack_from_environment

STACK_ROOT = Path(__file__).parent.parent / ".local" / "test"


@pytest.fixture(scope="session")
def stack() -> Iterator[PrivateStack]:
    """A Postgres and a RabbitMQ of the tests' own, or those that the environment names."""
    with stack_from_environment(STACK_ROOT, report=print) as running:
        yield running
