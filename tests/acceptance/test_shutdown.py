"""Told to leave (SIGTERM), a process finishes what it is at and leaves the rest to the others, in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from kombu import Connection
from sqlalchemy import select

from alertops.config import Timing
from alertops.models import Attempt, Execution
from alertops.services.dispatch import SEND_ATTEMPT, Message
from deploy.local.fleet import Fleet, WorkerHost
from deploy.local.smtp_sink import Hang, SmtpSink
from tasks.publisher import ConfirmingPublisher
from tests.acceptance.alerts import Alerts, measured, node, until
from tests.acceptance.nodes import FleetSetup

pytestmark = [pytest.mark.acceptance, pytest.mark.usefixtures("whole_fleet")]

# What a container is given to stop in is 30 s; this is what a sender needs at most.
SEND_DEADLINE = Timing().send_deadline
LEAVES_WITHIN = SEND_DEADLINE + Timing().lease_margin
QUEUE = "send.email"

ALERTS_A_SECOND = 20
LOAD_SECONDS = 20


@pytest.fixture
def only_a_sends(celery_setup: FleetSetup) -> Iterator[None]:
    control = celery_setup.app.control
    assert control.cancel_consumer(QUEUE, destination=["send@b"], reply=True)
    yield
    assert control.add_consumer(QUEUE, destination=["send@b"], reply=True)


@pytest.fixture
def ready_messages(celery_setup: FleetSetup) -> Iterator[Callable[[], int]]:
    """How many messages are in the senders' queue, and with no worker."""
    connection: Connection
    with celery_setup.app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        yield lambda: channel.queue_declare(QUEUE, passive=True).message_count


@pytest.mark.usefixtures("only_a_sends")
def test_sender_finishes_what_it_sends_and_gives_back_the_rest_at_once(
    alerts: Alerts,
    sink: SmtpSink,
    fleet: Fleet,
    publisher: ConfirmingPublisher,
    ready_messages: Callable[[], int],
) -> None:
    sender = fleet.hosts["a"].send
    sink.behave("slow@example.org", Hang(SEND_DEADLINE / 2 - 1, times=1))
    alert = alerts.raise_with(node("slow@example.org", 0))
    alert.await_mails(1, within=5)
    # A worker holds the last fraction of a second before an attempt is due.
    held = [Message(SEND_ATTEMPT, (str(uuid4()), 1, 1, 1), QUEUE, 0.99)] * 5
    assert all(publisher.publish(held))
    sender.terminate()
    told = time.monotonic()
    returned = until(lambda: ready_messages() == len(held), within=1.5, what="messages given back")
    assert sender.running
    until(lambda: not sender.running, within=LEAVES_WITHIN, what="the end of the sender")
    measured(f"told to leave: gave back in {returned:.1f} s, left in {time.monotonic() - told:.1f} s")
    assert [(attempt.status, attempt.claim_number) for attempt in alert.attempts] == [("delivered", 1)]
    assert len(alert.mails) == 1
    alert.await_status("exhausted", within=1)
    alerts.verify()


def test_sender_whose_mail_server_hangs_leaves_in_time(alerts: Alerts, sink: SmtpSink, fleet: Fleet) -> None:
    sink.behave("hangs@example.org", Hang(60, times=1))
    alert = alerts.raise_with(node("hangs@example.org", 0, attempts=1))
    alert.await_mails(1, within=5)
    started = time.monotonic()
    for host in fleet.hosts.values():
        host.terminate()
    until(
        lambda: not any(w.running for w in fleet.workers), within=LEAVES_WITHIN, what="the end of all workers"
    )
    measured(f"told to leave while a mail server hangs: left in {time.monotonic() - started:.1f} s")
    assert [attempt.status for attempt in alert.attempts] == ["unknown"]
    alerts.verify()


def restarted(host: WorkerHost) -> timedelta:
    """Restart the host in good order; returns how long that took."""
    started = time.monotonic()
    host.stop(grace=LEAVES_WITHIN)
    stopped = time.monotonic()
    host.start()
    host.wait_ready()
    took = time.monotonic() - started
    measured(
        f"host {host.name} restarted under load in {took:.1f} s, {stopped - started:.1f} s of it to leave"
    )
    return timedelta(seconds=took)


def test_hosts_restarted_one_after_another_under_load_lose_and_delay_nothing(
    alerts: Alerts, fleet: Fleet
) -> None:
    flow = alerts.flow(node("rolling@example.org", 2))
    begun = time.monotonic()

    def raise_at(second: float) -> None:
        time.sleep(max(0.0, begun + second - time.monotonic()))
        alerts.raise_(flow)

    with ThreadPoolExecutor(8) as callers:
        due = (number / ALERTS_A_SECOND for number in range(ALERTS_A_SECOND * LOAD_SECONDS))
        raising = [callers.submit(raise_at, second) for second in due]
        restarts = [restarted(host) for host in fleet.hosts.values()]
        for raised in raising:
            raised.result()
    ids = [alert.id for alert in alerts.raised]
    open_ = select(Execution.id).where(Execution.id.in_(ids), Execution.status != "exhausted")
    until(lambda: not alerts.rows(open_), within=10, what="the end of all alerts")
    # What a host held when it left is late by a redelivery; the bound is for a machine that is busy
    # starting Python meanwhile.
    verdict = alerts.verify(patience=max(restarts), at_least=len(raising))
    measured(f"{len(raising)} alerts meanwhile: the latest step was {max(verdict.lateness):.2f} s late")
    claims = alerts.rows(select(Attempt.claim_number).where(Attempt.execution_id.in_(ids)))
    assert claims == [1] * len(raising)
    assert verdict.checked["received"] == len(raising)
