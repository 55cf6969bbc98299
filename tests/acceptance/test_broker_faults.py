"""The broker goes away, or comes back empty: only the broker is restarted, and no setting is shortened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import func, update
from sqlalchemy.orm import Session, sessionmaker

from alertops.models import Step
from deploy.local.fleet import Fleet
from tests.acceptance.alerts import Alerts, measured, node, until
from tests.acceptance.nodes import Broker, FleetSetup

pytestmark = [pytest.mark.acceptance, pytest.mark.usefixtures("whole_fleet")]

# The bound that is promised, from the moment at which the broker is back.
REPAIRED_WITHIN = 20.0
# To the longest time for which the broker is away in these tests, the promise is added.
PATIENCE = timedelta(seconds=60)


@contextmanager
def no_process_restarted(fleet: Fleet) -> Iterator[None]:
    before = {service.name: service.pid for service in fleet.services}
    yield
    assert {service.name: service.pid for service in fleet.services} == before


def test_alerts_are_accepted_without_a_broker_and_fire_when_it_is_back(
    alerts: Alerts, celery_setup: FleetSetup, fleet: Fleet
) -> None:
    flow = alerts.flow(node("outage-1@example.org", 0), node("outage-2@example.org", 1))
    broker: Broker = celery_setup.broker
    with no_process_restarted(fleet):
        broker.kill("SIGTERM")
        started = time.monotonic()
        alert = alerts.raise_(flow)
        assert time.monotonic() - started < 3
        broker.start()
        took = until(lambda: len(alert.mails) >= 2, within=REPAIRED_WITHIN, what="repair")
    measured(f"broker stopped: fired {took:.1f} s after it was back")
    alert.await_status("exhausted", within=3)
    alerts.verify(patience=PATIENCE, at_least=2)


def test_broker_that_lost_everything_is_repaired_in_time(
    alerts: Alerts, celery_setup: FleetSetup, fleet: Fleet, restore: Callable[[], object]
) -> None:
    overdue = alerts.flow(node("overdue-1@example.org", 3), node("overdue-2@example.org", 1))
    broker: Broker = celery_setup.broker
    with no_process_restarted(fleet):
        lost = [alerts.raise_(overdue), alerts.raise_(overdue)]
        coming = alerts.raise_with(node("coming@example.org", 20))
        broker.kill()
        broker.wipe()
        broker.start()
        restore()
        back = time.monotonic()
        fresh = alerts.raise_with(node("fresh@example.org", 1))
        until(lambda: all(len(alert.fired) == 2 for alert in lost), within=REPAIRED_WITHIN, what="repair")
        took = time.monotonic() - back
        coming.await_status("exhausted", within=30)
    measured(f"broker wiped: overdue steps fired {took:.1f} s after it was back")
    alerts.verify(of=[*lost, fresh], patience=PATIENCE, at_least=5)
    # Its wake-up was lost as well, and it came due with the broker up.
    (late,) = alerts.verify(of=[coming], patience=timedelta(seconds=REPAIRED_WITHIN)).lateness
    measured(f"broker wiped: a step that came due later was {late:.1f} s late")


def test_wake_up_that_was_lost_is_repaired_in_time(alerts: Alerts, sessions: sessionmaker[Session]) -> None:
    """As when the API dies between commit and publish: the row waits, and no message is on its way."""
    alert = alerts.raise_with(node("forgotten@example.org", 3600))
    with sessions() as session:
        moved = {"due_at": func.clock_timestamp(), "dispatched_at": None}
        session.execute(update(Step).where(Step.execution_id == alert.id).values(moved))
        session.commit()
    took = until(lambda: bool(alert.mails), within=REPAIRED_WITHIN, what="repair")
    measured(f"wake-up lost: sent {took:.1f} s later")
    alert.await_status("exhausted", within=3)
    alerts.verify(patience=timedelta(seconds=REPAIRED_WITHIN))
