"""With nothing broken: on time, once, and silent when told, by messages alone.

The recovery tick is off in this fleet. What fires here fires because its wake-up came, not because
somebody looked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import psutil
import pytest
import requests
from sqlalchemy import func, update
from sqlalchemy.orm import Session, sessionmaker

from alertops.channels.kept_sessions import IDLE_SECONDS
from alertops.models import Heartbeat, Step
from alertops.services.dispatch import FIRE_STEP, SEND_ATTEMPT, Dispatcher, Message, StepWakeUp
from alertops.services.keys import StepKey
from deploy.local.fleet import Fleet
from deploy.local.smtp_sink import Drop, Hang, Refuse, SmtpSink
from tasks.publisher import ConfirmingPublisher
from tests.acceptance.alerts import ON_TIME, Alert, Alerts, node, until
from tests.acceptance.nodes import FleetSetup
from tests.figures import scrape

pytestmark = [pytest.mark.acceptance, pytest.mark.alone, pytest.mark.usefixtures("whole_fleet")]

REPEAT = "This may be a repeat"


@pytest.fixture(scope="module")
def fleet_settings() -> Mapping[str, str]:
    return {
        "ALERTOPS_RECOVERY_TICK_SECONDS": "0",
        "ALERTOPS_SEND_DEADLINE_SECONDS": "4",
        "ALERTOPS_LEASE_MARGIN_SECONDS": "1",
    }


def test_every_worker_answers_through_the_broker(celery_setup: FleetSetup) -> None:
    assert celery_setup.ready(ping=False, control=True)
    answered = {name for answer in celery_setup.app.control.ping() for name in answer}
    assert answered == {worker.hostname() for worker in celery_setup.workers}
    assert {worker.worker_queue for worker in celery_setup.workers} == {"fire", "send.email"}


def test_unacknowledged_alert_reaches_node_after_node_on_time(alerts: Alerts) -> None:
    delays = (1, 2, 0, 1)
    flow = alerts.flow(*(node(f"step-{i}@example.org", delay) for i, delay in enumerate(delays)))
    several = [alerts.raise_(flow) for _ in range(5)]
    for alert in several:
        alert.await_status("exhausted", within=10)
        # Two of the steps come due at the same time; their mails may overtake each other on the way.
        assert sorted(mail.rcpt_to[0] for mail in alert.mails) == [f"step-{i}@example.org" for i in range(4)]
        assert [step.due_at - alert.execution.anchor_at for step in alert.steps] == [
            timedelta(seconds=sum(delays[: i + 1])) for i in range(4)
        ]
    verdict = alerts.verify(at_least=20)
    assert verdict.checked["received"] == 20
    assert verdict.checked["not late"] == 20
    for alert in several:
        assert not any(step.recovery_count for step in alert.steps)
        assert not any(attempt.recovery_count for attempt in alert.attempts)


def test_mail_server_is_left_when_there_is_no_more_mail(alerts: Alerts, fleet: Fleet, sink: SmtpSink) -> None:
    def is_connected() -> bool:
        pids = [pid for worker in fleet.workers for pid in worker.pids]
        connections = [c for pid in pids for c in psutil.Process(pid).net_connections()]
        return any(c.raddr and c.raddr.port == sink.port for c in connections)

    alert = alerts.raise_with(node("a@example.org", 0))
    alert.await_status("exhausted", within=10)
    until(lambda: not is_connected(), 3 * IDLE_SECONDS, "leaving the mail server")


def test_acknowledge_silences_the_rest(alerts: Alerts) -> None:
    flow = alerts.flow(
        node("first@example.org", 0), node("second@example.org", 2), node("third@example.org", 1)
    )
    answered, other = alerts.raise_(flow), alerts.raise_(flow)
    answered.await_mails(1, within=5)
    answer = answered.acknowledge()
    assert answer["status"] == "acknowledged"
    # The other one, raised later and answered by nobody, shows that the time for all mails is over.
    other.await_status("exhausted", within=10)
    assert len(other.mails) == 3
    assert [mail.rcpt_to[0] for mail in answered.mails] == ["first@example.org"]
    assert answered.events[-1] == "acknowledged"
    alerts.verify()


def test_mailbox_that_refuses_for_a_while_is_tried_again_with_growing_pauses(
    alerts: Alerts, sink: SmtpSink
) -> None:
    address = "busy@example.org"
    sink.behave(address, Refuse(451, times=1), Refuse(451, at="data", times=1))
    alert = alerts.raise_with(node(address, 0, attempts=4))
    (mail,) = alert.await_mails(1, within=10)
    assert mail.message_id == f"<{alert.id}.1.1@alertops.test>"
    tries = [event.at for event in sink.events if event.address == address]
    first, second = ((later - earlier).total_seconds() for earlier, later in pairwise(tries))
    assert 0.8 <= first < 1 + ON_TIME.total_seconds()
    assert 1.6 <= second < 2 + ON_TIME.total_seconds()
    alert.await_status("exhausted", within=5)
    assert [attempt.status for attempt in alert.attempts] == ["failed", "failed", "delivered"]
    alerts.verify()


@pytest.mark.parametrize(("code", "attempts"), [(451, 2), (550, 1)])
def test_mailbox_that_never_accepts_brings_the_next_node_forward(
    alerts: Alerts, sink: SmtpSink, code: int, attempts: int
) -> None:
    address = f"refuses-{code}@example.org"
    sink.behave(address, Refuse(code))
    alert = alerts.raise_with(node(address, 0, attempts=2), node("stand-in@example.org", 600))
    (mail,) = alert.await_mails(1, within=10)
    assert mail.rcpt_to == ("stand-in@example.org",)
    assert [event.code for event in sink.events if event.address == address] == [code] * attempts
    assert "step_brought_forward" in alert.events
    last_try = alert.attempts[attempts - 1].finished_at
    assert last_try is not None
    assert alert.steps[1].due_at - last_try < timedelta(seconds=0.5)
    alert.await_status("exhausted", within=5)
    alerts.verify()


def test_uncertain_mail_is_sent_again_under_the_same_message_id_and_says_so(
    alerts: Alerts, sink: SmtpSink
) -> None:
    sink.behave("drops@example.org", Drop(times=1))
    alert = alerts.raise_with(node("drops@example.org", 0))
    first, second = alert.await_mails(2, within=10)
    assert first.message_id == second.message_id
    assert [REPEAT in mail.message.get_content() for mail in (first, second)] == [False, True]
    alert.await_status("exhausted", within=5)
    assert [attempt.status for attempt in alert.attempts] == ["unknown", "delivered"]
    assert "attempt_unknown" in alert.events
    alerts.verify()


def test_wake_up_that_comes_three_times_sends_once(alerts: Alerts, publisher: ConfirmingPublisher) -> None:
    alert = alerts.raise_with(node("once@example.org", 1), node("afterwards@example.org", 2))
    key = str(alert.id)
    copies = [Message(FIRE_STEP, (key, 1), "fire", 1.0)] * 3
    copies += [Message(SEND_ATTEMPT, (key, 1, 1, 1), "send.email", 1.5)] * 3
    assert all(publisher.publish(copies))
    # The queues keep their order: when the second step's mail is here, the copies have been looked at.
    alert.await_status("exhausted", within=10)
    assert [mail.rcpt_to[0] for mail in alert.mails] == ["once@example.org", "afterwards@example.org"]
    assert alert.events.count("step_fired") == 2
    alerts.verify()


@pytest.mark.parametrize("seconds", [0.0, 0.4, 0.999, 1.0, 1.5])
def test_short_remaining_delay_is_waited_for_exactly(
    alerts: Alerts, dispatcher: Dispatcher, sessions: sessionmaker[Session], seconds: float
) -> None:
    alert = alerts.raise_with(node("soon@example.org", 3600))
    with sessions() as session:
        due_at = session.execute(
            update(Step)
            .where(Step.execution_id == alert.id)
            .values(due_at=func.clock_timestamp() + timedelta(seconds=seconds))
            .returning(Step.due_at)
        ).scalar_one()
        session.commit()
        assert dispatcher.dispatch(session, [StepWakeUp(StepKey(alert.id, 1), due_at)]) == 1
    alert.await_status("exhausted", within=seconds + 3)
    (lateness,) = alerts.verify().lateness
    assert lateness < 0.5


def test_mailboxes_that_hang_delay_nobody_elses_steps(alerts: Alerts, sink: SmtpSink) -> None:
    sink.behave("hangs@example.org", Hang(10))
    hanging = alerts.flow(node("hangs@example.org", 0, attempts=1))
    # More than the fleet has threads to send with.
    stuck = [alerts.raise_(hanging) for _ in range(40)]
    stuck[0].await_mails(1, within=5)
    lively = alerts.raise_with(*(node(f"lively-{i}@example.org", 1) for i in range(3)))
    lively.await_fired(3, within=6)
    lively.await_status("exhausted", within=10)
    alerts.verify(of=[lively])
    for alert in stuck:
        alert.await_status("exhausted", within=20)
    sink.behave("hangs@example.org")


def test_a_job_that_falls_silent_is_missed_on_time_and_over_when_it_pings(
    alerts: Alerts, fleet: Fleet, sessions: sessionmaker[Session]
) -> None:
    client, flow = alerts.client, alerts.flow(node("on-call@example.org", 0))
    made = client.expect_pings(alerts.team_id, flow, every_seconds=10, grace_seconds=1)
    with sessions() as session:
        # Shorter than anybody may have it, so that the test is.
        session.execute(update(Heartbeat).values(every_seconds=2))
        session.commit()

    def ping() -> None:
        answer = requests.get(f"{fleet.api_url}/heartbeats/{made['key']}", timeout=10)
        assert answer.json() == {"status": "up"}

    def status() -> str:
        return str(client.heartbeat(made["id"])["status"])

    ping()
    first = client.heartbeat(made["id"])["due_at"]

    def pinged_again() -> bool:
        ping()
        return bool(client.heartbeat(made["id"])["due_at"] != first)

    until(pinged_again, 5, "a ping that counts")
    assert status() == "up"
    until(lambda: status() == "missing", 10, "to be missed")
    with sessions() as session:
        row = session.get_one(Heartbeat, UUID(made["id"]))
        assert row.due_at is not None
        assert row.missed_at is not None
        assert row.wake_number == 2  # it was pinged once more, and looked at once more for that
        assert timedelta() <= row.missed_at - row.due_at < ON_TIME
    alert = Alert(UUID(client.heartbeat(made["id"])["execution_id"]), alerts)
    until(lambda: bool(alert.mails), 10, "a mail")
    ping()
    assert status() == "up"
    assert alert.execution.status == "resolved"


def test_nothing_had_to_be_repaired_and_the_metrics_say_so(fleet: Fleet, alerts: Alerts) -> None:
    """Of all that this fleet did, in this test and in those before it."""
    alerts.raise_with(node("watched@example.org", 1)).await_status("exhausted", within=5)
    figures = scrape(fleet.api_url)
    recovered = {name: rows for name, rows in figures.items() if name.startswith("alertops_recovered_total")}
    assert list(recovered.values()) == [0, 0, 0, 0], recovered
    # The new broker of a new fleet was the one that was empty.
    assert figures["alertops_broker_epochs_total"] == 1
    assert figures["alertops_recovery_runs_total"] >= 1
    assert figures["alertops_dead_letters"] == 0
    assert {figures[f'alertops_queue_consumers{{queue="{name}"}}'] for name in ("fire", "send.email")} == {2}
