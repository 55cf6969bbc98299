"""What was seen to go wrong in other escalation backends, as tests.

Two more of them are elsewhere: queues deleted before the first step (`test_broker_faults.py`), and an
acknowledge between claim and send (`integration/test_escalation.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest

from deploy.local.smtp_sink import Hang, SmtpSink
from deploy.local.stack import PrivateStack
from tests.acceptance.alerts import ON_TIME, Alerts, measured, node, until
from tests.acceptance.nodes import FleetSetup

pytestmark = [pytest.mark.acceptance, pytest.mark.alone, pytest.mark.usefixtures("whole_fleet")]

SEND_DEADLINE = 4
CONSUMER_TIMEOUT_SECONDS = 5
# RabbitMQ looks for consumers that hold messages for too long at this interval.
LOOKS_EVERY_SECONDS = 1


@pytest.fixture(scope="module")
def fleet_settings() -> Mapping[str, str]:
    return {
        "ALERTOPS_SEND_DEADLINE_SECONDS": str(SEND_DEADLINE),
        "ALERTOPS_LEASE_MARGIN_SECONDS": "1",
        "ALERTOPS_RECOVERY_TICK_SECONDS": "0",
    }


@pytest.fixture
def short_consumer_timeout(stack: PrivateStack) -> Iterator[None]:
    """RabbitMQ closes the channel of a consumer that holds a message for longer; 30 minutes by default."""
    usual = stack.rabbitmq.ctl("eval", "element(2, application:get_env(rabbit, consumer_timeout)).").strip()

    def let_it_be(milliseconds: int | str, tick: int) -> None:
        stack.rabbitmq.ctl(
            "eval",
            f"application:set_env(rabbit, consumer_timeout, {milliseconds}), "
            f"application:set_env(rabbit, channel_tick_interval, {tick}).",
        )

    let_it_be(CONSUMER_TIMEOUT_SECONDS * 1000, LOOKS_EVERY_SECONDS * 1000)
    yield
    let_it_be(usual, 60_000)


def test_a_worker_killed_and_back_six_seconds_before_the_due_time_fires_on_time(
    alerts: Alerts, celery_setup: FleetSetup
) -> None:
    """Elsewhere: 841 s late, because the message came back only with the visibility timeout."""
    alert = alerts.raise_with(node("killed-and-back@example.org", 12))
    due_at = alert.steps[0].due_at
    until(lambda: alerts.now() > due_at - timedelta(seconds=9), within=15, what="nine seconds before")
    workers = celery_setup.workers
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.restart()
    until(lambda: alerts.now() > due_at - timedelta(seconds=6), within=15, what="six seconds before")
    alert.await_status("exhausted", within=10)
    verdict = alerts.verify(of=[alert])
    measured(f"all workers killed, back before the due time: {verdict.lateness[0] * 1000:.0f} ms late")


@pytest.mark.usefixtures("short_consumer_timeout")
def test_a_wait_longer_than_the_consumer_timeout_disturbs_no_worker(
    alerts: Alerts, celery_setup: FleetSetup
) -> None:
    """Elsewhere: a worker that holds messages until they are due is cut off, and dies."""
    before = {worker.name(): worker.pid for worker in celery_setup.workers}
    reconnections = sum(worker.logs().count("Connected to") for worker in celery_setup.workers)
    wait = CONSUMER_TIMEOUT_SECONDS * 2 + LOOKS_EVERY_SECONDS
    several = [alerts.raise_with(node("long-wait@example.org", wait)) for _ in range(5)]
    for alert in several:
        alert.await_status("exhausted", within=wait + 5)
    assert {worker.name(): worker.pid for worker in celery_setup.workers} == before
    assert sum(worker.logs().count("Connected to") for worker in celery_setup.workers) == reconnections
    alerts.verify(of=several)


def test_one_teams_receiver_that_hangs_delays_no_other_teams_alerts(alerts: Alerts, sink: SmtpSink) -> None:
    """Elsewhere: a webhook of six seconds made another tenant's alerts 44 s late."""
    sink.behave("hangs@example.org", Hang(6, at="rcpt"))
    hanging = alerts.flow(*(node("hangs@example.org", 0, attempts=2) for _ in range(3)))
    for _ in range(12):
        alerts.raise_(hanging)
    other = Alerts(alerts.client, alerts.client.create_team("Another team"), alerts.sessions, sink)
    on_time = other.flow(node("other-1@example.org", 1), node("other-2@example.org", 1))
    several = [other.raise_(on_time) for _ in range(10)]
    for alert in several:
        alert.await_status("exhausted", within=15)
    other.verify(of=several, patience=ON_TIME, at_least=20)


def test_a_receiver_that_answers_too_slowly_gets_what_the_policy_says_and_one_key(
    alerts: Alerts, sink: SmtpSink
) -> None:
    """Elsewhere: each alert four times, with nothing to tell the copies by."""
    sink.behave("too-slow@example.org", Hang(SEND_DEADLINE * 2))
    alert = alerts.raise_with(node("too-slow@example.org", 0, attempts=2))
    alert.await_status("exhausted", within=30)
    assert len(alert.mails) == 2
    assert len({mail.message_id for mail in alert.mails}) == 1
    assert [attempt.status for attempt in alert.attempts] == ["unknown", "unknown"]
    alerts.verify(of=[alert])
