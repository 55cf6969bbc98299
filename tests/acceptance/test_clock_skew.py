"""Workers whose clocks are wrong by minutes: nothing is late, early, or asked for again and again.

The recovery tick is off in this fleet: nobody repairs what a wrong clock would make late.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.chaos.clock import Clock, why_not
from deploy.local.fleet import Fleet
from tests.acceptance.alerts import Alerts, node

pytestmark = [pytest.mark.acceptance, pytest.mark.alone]

WRONG_BY = {"a": -180, "b": 180}
ALERTS = 12
STEPS = ALERTS * 3


@pytest.fixture(scope="module")
def fleet_settings() -> Mapping[str, str]:
    return {"ALERTOPS_RECOVERY_TICK_SECONDS": "0", "ALERTOPS_LOG_LEVEL": "DEBUG"}


@pytest.fixture(scope="module")
def wrong_clocks(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Three minutes behind on one host, three minutes ahead on the other; the API's clock is right."""
    root: Path = tmp_path_factory.mktemp("clocks")
    if reason := why_not(root):
        pytest.skip(reason)
    for name, seconds in WRONG_BY.items():
        clock = Clock(root)
        clock.set(seconds)
        for worker in fleet.hosts[name].services:
            worker.environment = {**worker.environment, **clock.environment}
            worker.restart()
    fleet.wait_ready()


@pytest.mark.usefixtures("wrong_clocks")
def test_wrong_clocks_make_nothing_late_or_early(alerts: Alerts, fleet: Fleet) -> None:
    flow = alerts.flow(*(node(f"clock-{i}@example.org", delay) for i, delay in enumerate((1, 2, 1))))
    for _ in range(ALERTS):
        alerts.raise_(flow)
    for alert in alerts.raised:
        alert.await_status("exhausted", within=15)
    verdict = alerts.verify(at_least=STEPS)
    assert verdict.checked["not late"] == STEPS
    assert not any(step.recovery_count for alert in alerts.raised for step in alert.steps)
    # Both have woken too early at times, and have asked again; no more often than there are workers.
    too_early = sum(worker.log_text().count("reason=early") for worker in fleet.workers)
    assert 0 < too_early <= 2 * STEPS
