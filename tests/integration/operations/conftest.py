"""An execution to do things about; and after each test the checker finds every promise kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alertops.models import Execution
from alertops.verify.history import within
from alertops.verify.promises import Verdict, judge_rows
from alertops.verify.read import read_histories
from tests.integration.world import World, node


@pytest.fixture
def running(world: World) -> Execution:
    """Its first step has fired; the second is due in ten minutes, the third twenty minutes after that."""
    execution = world.start(world.flow(node("a", 0), node("b", 600), node("c", 1200)))
    world.fire(execution, 1)
    world.send(execution, 1)
    return execution


@pytest.fixture(autouse=True)
def promises(world: World) -> Any:
    """Whatever was done, the checker finds every promise kept."""
    yield
    verdict = Verdict()
    world.session.rollback()
    for history in read_histories(world.session, within(timedelta(minutes=1))):
        judge_rows(verdict, history)
    assert verdict.broken == []
