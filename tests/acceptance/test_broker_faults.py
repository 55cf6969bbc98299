"""The broker goes away, or comes back empty: only the broker is restarted, and no setting is shortened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from celery import Celery
from kombu.transport.native_delayed_delivery import MAX_LEVEL, level_name
from sqlalchemy import func, update
from sqlalchemy.orm import Session, sessionmaker

from alertops.models import Step
from deploy.local.fleet import Fleet
from tasks.queues import FIRE, send_queue
from tests.acceptance.alerts import Alerts, measured, node, until
from tests.acceptance.nodes import Broker, FleetSetup
from tests.figures import scrape

pytestmark = [pytest.mark.acceptance, pytest.mark.usefixtures("whole_fleet")]

# The bound that is promised, from the moment at which the broker is back.
REPAIRED_WITHIN = 20.0
# To the longest time for which the broker is away in these tests, the promise is added.
PATIENCE = timedelta(seconds=60)


EMPTIED = 'alertops_recovered_total{reason="broker_emptied"}'

# Due long after the broker is back, on a machine that is busy with other things.
WAITS_FOR_LONG = 40


def lose_everything(broker: Broker, restore: Callable[[], object]) -> None:
    """The broker dies, its disk is replaced, and it comes back with its vhost, and nothing in it."""
    broker.kill()
    broker.wipe()
    broker.start()
    restore()


def delete_queues(app: Celery) -> None:
    """Where messages wait, and where they arrive."""
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        for name in (FIRE, send_queue("email"), *(level_name(level) for level in range(MAX_LEVEL + 1))):
            channel.queue_delete(name)


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
    before = scrape(fleet.api_url)
    with no_process_restarted(fleet):
        lost = [alerts.raise_(overdue), alerts.raise_(overdue)]
        coming = alerts.raise_with(node("coming@example.org", WAITS_FOR_LONG))
        lose_everything(broker, restore)
        back, back_at = time.monotonic(), alerts.now()
        fresh = alerts.raise_with(node("fresh@example.org", 1))
        until(lambda: all(len(alert.fired) == 2 for alert in lost), within=REPAIRED_WITHIN, what="repair")
        took = time.monotonic() - back
        coming.await_status("exhausted", within=WAITS_FOR_LONG)
    measured(f"broker wiped: overdue steps fired {took:.1f} s after it was back")
    alerts.verify(of=[*lost, fresh], patience=PATIENCE, at_least=5)
    after = scrape(fleet.api_url)
    assert after["alertops_broker_epochs_total"] == before["alertops_broker_epochs_total"] + 1
    # One step of each of the three that waited. The fresh one may have been raised before the run.
    assert after[EMPTIED] - before[EMPTIED] >= 3
    # Its wake-up was lost as well. It is not found when it is late, but when the broker is found empty.
    (late,) = alerts.verify(of=[coming]).lateness
    ahead = (coming.steps[0].due_at - back_at).total_seconds()
    measured(f"broker wiped: back {ahead:.0f} s before a step was due, which was {late * 1000:.0f} ms late")


def test_deleted_queues_make_steps_late_by_no_more_than_the_promise_and_lose_none(
    alerts: Alerts, celery_setup: FleetSetup, fleet: Fleet
) -> None:
    """An operator who tidies up: the broker stays, and so does its marker."""
    flow = alerts.flow(node("deleted-1@example.org", 4), node("deleted-2@example.org", 2))
    with no_process_restarted(fleet):
        waiting = [alerts.raise_(flow) for _ in range(5)]
        coming = alerts.raise_with(node("deleted-later@example.org", 14))
        delete_queues(celery_setup.app)
        fresh = alerts.raise_(flow)
        for alert in (*waiting, fresh, coming):
            alert.await_status("exhausted", within=14 + REPAIRED_WITHIN)
    verdict = alerts.verify(patience=timedelta(seconds=REPAIRED_WITHIN), at_least=13)
    measured(f"queues deleted: steps were up to {max(verdict.lateness):.1f} s late")


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
