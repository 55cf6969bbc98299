"""Workers die, freeze and are told to leave, in the worst moments; the others carry on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from deploy.local.smtp_sink import Hang, SmtpSink
from tests.acceptance.alerts import Alert, Alerts, measured, node, until
from tests.acceptance.nodes import FleetSetup, Worker

pytestmark = [pytest.mark.acceptance, pytest.mark.alone, pytest.mark.usefixtures("whole_fleet")]

SEND_DEADLINE = 4
LEASE = SEND_DEADLINE + 1
# A half of the deadline is for reaching the mail server, the other half for handing the mail over.
PATIENCE_WITH_SERVER = SEND_DEADLINE / 2
# A wake-up may have been handed to the worker that is frozen: RabbitMQ takes it back after two heartbeats
# of 10 s that did not come, and then gives it to another.
FROZEN_IS_NOTICED = 30
REPEAT = "This may be a repeat"


@pytest.fixture(scope="module")
def fleet_settings() -> Mapping[str, str]:
    return {
        "ALERTOPS_SEND_DEADLINE_SECONDS": str(SEND_DEADLINE),
        "ALERTOPS_LEASE_MARGIN_SECONDS": str(LEASE - SEND_DEADLINE),
        # Later than what counts as on time, so that recovery cannot pass for punctuality.
        "ALERTOPS_RECOVERY_GRACE_SECONDS": "2",
        "ALERTOPS_RECOVERY_TICK_SECONDS": "2",
    }


def sender_of(setup: FleetSetup, alert: Alert) -> Worker:
    """The worker that has claimed the alert's attempt."""
    until(lambda: bool(setup.senders(str(alert.id))), within=5, what=f"a claim of {alert.id}")
    return setup.senders(str(alert.id))[0]


@pytest.mark.parametrize("moment", ["in mid-wait", "just before they come due"])
def test_killed_host_delays_no_step(alerts: Alerts, celery_setup: FleetSetup, moment: str) -> None:
    flow = alerts.flow(
        node("before@example.org", 1), node("after@example.org", 3), node("then@example.org", 1)
    )
    several = [alerts.raise_(flow) for _ in range(8)]
    for alert in several:
        # Nothing is being sent when the host dies: what that leads to is another test's.
        alert.await_delivered(1, within=5)
    due_at = several[0].steps[1].due_at
    if moment == "just before they come due":
        # The whole seconds were waited in the broker; now the workers hold what remains, each its part.
        until(lambda: alerts.now() > due_at - timedelta(seconds=0.5), within=5)
    for worker in celery_setup.host("a"):
        worker.kill()
    assert alerts.now() < due_at
    for alert in several:
        alert.await_status("exhausted", within=10)
        assert len(alert.mails) == 3
    alerts.verify(at_least=24)
    assert not any(worker.running for worker in celery_setup.host("a"))


def test_worker_killed_before_it_transmitted_is_replaced_without_a_word(
    alerts: Alerts, celery_setup: FleetSetup, sink: SmtpSink
) -> None:
    sink.behave("slow@example.org", Hang(10, at="rcpt", times=1))
    alert = alerts.raise_with(node("slow@example.org", 0))
    sink.wait_until(lambda: any(event.address == "slow@example.org" for event in sink.events), timeout=5)
    sender_of(celery_setup, alert).kill()
    (mail,) = alert.await_mails(1, within=LEASE + 3)
    alert.await_status("exhausted", within=3)
    assert len(alert.mails) == 1
    assert REPEAT not in mail.message.get_content()
    (attempt,) = alert.attempts
    assert (attempt.claim_number, attempt.may_repeat) == (2, False)
    assert "attempt_claimed_again" in alert.events
    alerts.verify()


def test_worker_killed_while_the_outcome_is_unknown_is_replaced_and_the_repeat_is_announced(
    alerts: Alerts, celery_setup: FleetSetup, sink: SmtpSink
) -> None:
    sink.behave("silent@example.org", Hang(10, times=1))
    alert = alerts.raise_with(node("silent@example.org", 0))
    alert.await_mails(1, within=5)
    sender_of(celery_setup, alert).kill()
    first, second = alert.await_mails(2, within=LEASE + 3)
    alert.await_status("exhausted", within=3)
    assert first.message_id == second.message_id
    assert [REPEAT in mail.message.get_content() for mail in (first, second)] == [False, True]
    again = [entry for entry in alert.timeline if entry["event"] == "attempt_claimed_again"]
    assert [entry["detail"] for entry in again] == [{"reason": "resend", "may_repeat": True}]
    again_after = (second.received_at - first.received_at).total_seconds()
    measured(f"killed in mid-send, lease of {LEASE} s: sent again after {again_after:.1f} s")
    alerts.verify()


def test_frozen_worker_that_wakes_up_records_nothing(
    alerts: Alerts, celery_setup: FleetSetup, sink: SmtpSink
) -> None:
    sink.behave("frozen@example.org", Hang(1, times=1))
    alert = alerts.raise_with(node("frozen@example.org", 0))
    alert.await_mails(1, within=5)
    frozen = sender_of(celery_setup, alert)
    frozen.pause()
    try:
        alert.await_mails(2, within=FROZEN_IS_NOTICED)
        alert.await_status("exhausted", within=3)
        before = alert.events
    finally:
        frozen.resume()
    frozen.wait_for_log("lease_lost", timeout=10)
    assert alert.events == before
    assert [(attempt.status, attempt.claim_number) for attempt in alert.attempts] == [("delivered", 2)]
    alerts.verify()


def test_worker_told_to_leave_finishes_what_it_sends(
    alerts: Alerts, celery_setup: FleetSetup, sink: SmtpSink
) -> None:
    sink.behave("unhurried@example.org", Hang(PATIENCE_WITH_SERVER - 0.5, times=1))
    alert = alerts.raise_with(node("unhurried@example.org", 0))
    alert.await_mails(1, within=5)
    sender = sender_of(celery_setup, alert)
    sender.kill("SIGTERM")
    alert.await_status("exhausted", within=4)
    assert [(attempt.status, attempt.claim_number) for attempt in alert.attempts] == [("delivered", 1)]
    assert len(alert.mails) == 1
    until(lambda: not sender.running, within=5, what=f"the end of {sender.name()}")
    alerts.verify()
